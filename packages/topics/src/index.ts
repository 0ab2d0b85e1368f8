/**
 * MQTT topics: what a Topic Name and a Topic Filter may be, and which filter matches which name.
 *
 * @packageDocumentation
 */

export { FilterTree } from './filter-tree.js'
export { type NamedValue, NameTree } from './name-tree.js'
export { covers, intersects, matches, parseShared, type SharedFilter, topicFilterFault } from './topic-filter.js'
export { defaultMaxLevels, type TopicFault, topicNameFault } from './topic-name.js'
export { type Captures, type TopicPattern, topicPattern } from './topic-pattern.js'
export type { Topic } from './utf8.js'
