// Package sqs is the queues of the embedded AWS: SQS over AWS JSON 1.0 and the query protocol, with standard and FIFO queues, delays, visibility
// timeouts, long polls and dead-letter queues. Queues and messages outlive the program; what it remembers of deduplication does not.
package sqs
