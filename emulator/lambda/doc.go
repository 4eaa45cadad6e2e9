// Package lambda is AWS Lambda: functions with their versions, aliases, layers, permissions, URLs and event source mappings, over Lambda's wire
// protocol, and their invocations, each in a sandbox of its own. Code comes from, and lines, metrics, messages and records go to, the other services
// that its options name; it knows them by interfaces alone.
package lambda
