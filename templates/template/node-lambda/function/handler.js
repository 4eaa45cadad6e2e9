'use strict'

// A request: event has body, headers, method, query and path.
module.exports = async (event, context) => {
  return context
    .status(200)
    .headers({ 'Content-Type': 'application/json' })
    .succeed({ body: event.body })
}

// An event of one of Lambda's triggers, such as a batch of SQS. Delete it if the
// function has none.
/** @type {import('aws-lambda').SQSHandler} */
module.exports.handleEvent = async (event, context) => {
  for (const record of event.Records) console.log(record.messageId, record.body)
  return { batchItemFailures: [] }
}
