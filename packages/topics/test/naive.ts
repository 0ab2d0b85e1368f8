/** Matching as section 4.7 tells it, level by level: slow, and plainly right. */
export function naiveMatch(filter: string, name: string): boolean {
  const filters = filter.split('/')
  const names = name.split('/')
  if (name.startsWith('$') && (filters[0] === '+' || filters[0] === '#')) return false
  for (const [i, level] of filters.entries()) {
    if (level === '#') return true // also for the parent, where no level is left
    if (i >= names.length) return false
    if (level !== '+' && level !== names[i]) return false
  }
  return filters.length === names.length
}
