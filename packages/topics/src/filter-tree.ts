/** Many Topic Filters, asked with one Topic Name. */

/**
 * A set of pairs of a Topic Filter and a number, such as the index of a subscription. It takes valid filters only and
 * never checks them; the filter of a Shared Subscription goes in without its `$share/{ShareName}/`.
 */
export class FilterTree {
  readonly #root: Node = new Node()
  #size = 0

  /** The number of pairs. */
  get size(): number {
    return this.#size
  }

  /** Adds a pair; returns false when it was there. */
  add(filter: string, value: number): boolean {
    let node = this.#root
    for (const level of filter.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = new Node()
        node.children.set(level, child)
      }
      node = child
    }
    if (node.values.has(value)) return false
    node.values.add(value)
    this.#size++
    return true
  }

  /** Takes a pair away and frees what only it needed; returns false when it was not there. */
  remove(filter: string, value: number): boolean {
    const levels = filter.split('/')
    const path = [this.#root]
    for (const level of levels) {
      const child = path[path.length - 1]!.children.get(level)
      if (child === undefined) return false
      path.push(child)
    }
    if (!path[path.length - 1]!.values.delete(value)) return false
    this.#size--
    for (let i = levels.length; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.children.delete(levels[i - 1]!)
    return true
  }

  /**
   * Appends to `into` the numbers of all filters that match a valid Topic Name, in no order, once for each filter.
   * Returns how many they are.
   */
  match(name: string, into: number[]): number {
    const before = into.length
    const levels = name.split('/')
    let nodes: Node[] = [this.#root]
    for (let i = 0; i < levels.length && nodes.length > 0; i++) {
      const level = levels[i]!
      // Wildcards in the first level do not match a name that begins with $ [MQTT-4.7.2-1].
      const wildcards = i > 0 || !level.startsWith('$')
      const next: Node[] = []
      for (const { children } of nodes) {
        const same = children.get(level)
        if (same !== undefined) next.push(same)
        if (!wildcards) continue
        const one = children.get('+')
        if (one !== undefined) next.push(one)
        children.get('#')?.collect(into)
      }
      nodes = next
    }
    for (const node of nodes) {
      node.collect(into)
      node.children.get('#')?.collect(into) // `a/#` matches `a` too (section 4.7.1.2)
    }
    return into.length - before
  }
}

class Node {
  readonly children: Map<string, Node> = new Map()
  readonly values: Set<number> = new Set()

  get isEmpty(): boolean {
    return this.values.size === 0 && this.children.size === 0
  }

  collect(into: number[]): void {
    for (const value of this.values) into.push(value)
  }
}
