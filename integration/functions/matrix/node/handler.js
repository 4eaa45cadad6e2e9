'use strict'

const fs = require('node:fs')
const path = require('node:path')

// The Node function of the matrix answers by path.
module.exports = async (event, context) => {
  switch (event.path) {
    case '/json': return { language: 'node' }
    case '/html': return '<p>node</p>'
    case '/png': return context.headers({ 'Content-Type': 'image/png' }).succeed(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'))
    case '/echo': return event.body
    case '/native': return { crc32: require('@node-rs/crc32').crc32('hello') }
    case '/secret': return fs.readFileSync(path.join(process.env.secret_mount_path, 'matrix'))
    case '/crash': return process.exit(3)
    case '/slow': return new Promise(resolve => setTimeout(resolve, 10000))
  }
}

/** @type {import('aws-lambda').SQSHandler} */
module.exports.handleEvent = async (event) => ({
  batchItemFailures: event.Records.filter(m => m.body === 'bad').map(m => ({ itemIdentifier: m.messageId }))
})
