/** Many Topic Names, asked with one Topic Filter: what retained messages need. */

/** A map from Topic Names to values. It takes valid names and filters only and never checks them. */
export class NameTree<T> {
  readonly #root: Node<T> = new Node('')
  #size = 0

  /** The number of names. */
  get size(): number {
    return this.#size
  }

  get(name: string): T | undefined {
    let node: Node<T> | undefined = this.#root
    for (const level of name.split('/')) {
      node = node.children.get(level)
      if (node === undefined) return undefined
    }
    return node.value
  }

  set(name: string, value: T): void {
    let node = this.#root
    for (const level of name.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = new Node(node === this.#root ? level : `${node.name}/${level}`)
        node.children.set(level, child)
      }
      node = child
    }
    if (node.value === undefined) this.#size++
    node.value = value
  }

  /** Takes a name away and frees what only it needed; returns false when it was not there. */
  delete(name: string): boolean {
    const levels = name.split('/')
    const path = [this.#root]
    for (const level of levels) {
      const child = path[path.length - 1]!.children.get(level)
      if (child === undefined) return false
      path.push(child)
    }
    const node = path[path.length - 1]!
    if (node.value === undefined) return false
    node.value = undefined
    this.#size--
    for (let i = levels.length; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.children.delete(levels[i - 1]!)
    return true
  }

  /** The names that a Topic Filter matches, and their values, found as they are asked for; the tree may change meanwhile. */
  *match(filter: string): Generator<[name: string, value: T], void, void> {
    const levels = filter.split('/')
    const stack: Walk<T>[] = [{ nodes: [this.#root].values(), depth: 0 }]
    for (let walk = stack[0]; walk !== undefined; walk = stack[stack.length - 1]) {
      const { value: node, done } = walk.nodes.next()
      if (done === true) {
        stack.pop()
        continue
      }
      const { depth } = walk
      const level = levels[depth]
      // `a/#` matches `a` too (section 4.7.1.2).
      if ((level === undefined || level === '#') && node.value !== undefined) yield [node.name, node.value]
      if (level === undefined) continue
      if (level === '#') stack.push({ nodes: this.#below(node), depth })
      else if (level === '+') stack.push({ nodes: this.#below(node), depth: depth + 1 })
      else if (node.children.has(level)) stack.push({ nodes: [node.children.get(level)!].values(), depth: depth + 1 })
    }
  }

  /** What a wildcard below a node may stand for: in the first level not what begins with $ [MQTT-4.7.2-1]. */
  #below(node: Node<T>): Iterator<Node<T>, undefined> {
    if (node !== this.#root) return node.children.values()
    return [...node.children.values()].filter(({ name }) => !name.startsWith('$')).values()
  }
}

/** Nodes that are still to be visited, and the level of the filter that is asked of what lies below them. */
interface Walk<T> {
  readonly nodes: Iterator<Node<T>, undefined>
  readonly depth: number
}

class Node<T> {
  readonly name: string
  readonly children: Map<string, Node<T>> = new Map()
  value: T | undefined = undefined

  constructor(name: string) {
    this.name = name
  }

  get isEmpty(): boolean {
    return this.value === undefined && this.children.size === 0
  }
}
