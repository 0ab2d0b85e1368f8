/**
 * MQTT topics: what a Topic Name and a Topic Filter may be, and which filter matches which name.
 *
 * @packageDocumentation
 */

export { FilterTree } from './filter-tree.js'
export { NameTree } from './name-tree.js'
export { matches, parseShared, type SharedFilter, topicFilterFault } from './topic-filter.js'
export { defaultMaxLevels, type TopicFault, topicNameFault } from './topic-name.js'
