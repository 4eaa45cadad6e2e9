'use strict'

// Serves the function's handler to the watchdog in front of it, and the events of
// Lambda's triggers to its handleEvent where there is one. It needs nothing but
// Node, so a cold start loads nothing else.

const http = require('node:http')
const querystring = require('node:querystring')

// FunctionContext is what a handler says its answer with.
class FunctionContext {
  constructor (done) {
    this.statusCode = 200
    this.headerValues = {}
    this.cbCalled = 0
    this.done = done
  }

  status (code) {
    if (!code) return this.statusCode
    this.statusCode = code
    return this
  }

  headers (values) {
    if (!values) return this.headerValues
    this.headerValues = values
    return this
  }

  succeed (value) {
    this.cbCalled++
    this.done(undefined, value)
  }

  fail (err) {
    if (Number(this.statusCode) === 200) this.statusCode = 500
    this.cbCalled++
    this.done(err || new Error('failed'))
  }
}

// read collects a request's body.
async function read (req) {
  const parts = []
  for await (const part of req) parts.push(part)
  return Buffer.concat(parts)
}

// parse turns a body into what its content type says: an object, text, or bytes.
function parse (body, contentType, raw) {
  if (raw) return body
  const type = contentType.split(';')[0].trim().toLowerCase()
  if (body.length === 0) return {}
  if (type === 'application/json') return JSON.parse(body.toString('utf8'))
  if (type === 'application/x-www-form-urlencoded') return { ...querystring.parse(body.toString('utf8')) }
  if (type.startsWith('text/')) return body.toString('utf8')
  return body
}

// answer writes what a handler returned.
function answer (res, status, headers, value) {
  const known = new Set(Object.keys(headers).map(name => name.toLowerCase()))
  const type = (kind) => { if (!known.has('content-type')) res.setHeader('Content-Type', kind) }
  for (const [name, header] of Object.entries(headers)) res.setHeader(name, header)
  res.statusCode = Number(status)
  if (value === undefined || value === null) return res.end()
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) {
    type('application/octet-stream')
  } else if (typeof value === 'string') {
    type('text/html; charset=utf-8')
  } else if (typeof value.pipe === 'function') {
    type('application/octet-stream')
    value.on('error', err => { console.error(err); res.destroy() })
    return value.pipe(res)
  } else {
    type('application/json; charset=utf-8')
    value = JSON.stringify(value)
  }
  if (!known.has('content-length')) res.setHeader('Content-Length', Buffer.byteLength(value))
  res.end(value)
}

// serveRequest runs the handler: what it returns, or gives to the context or to
// its callback, whichever is first, is the answer.
async function serveRequest (handler, req, res) {
  const url = new URL('http://function' + req.url) // a path may begin with //
  req.headers['content-type'] ||= 'text/plain' // as the community's template has it
  const context = new FunctionContext((err, value) => {
    if (res.headersSent || res.writableEnded) return
    if (!err) return answer(res, context.statusCode, context.headerValues, value)
    console.error(err)
    const status = Number(context.statusCode) === 200 ? 500 : context.statusCode
    answer(res, status, { 'Content-Type': 'text/plain; charset=utf-8' }, String(err))
  })
  const body = await read(req)
  let parsed
  try {
    parsed = parse(body, req.headers['content-type'], process.env.RAW_BODY === 'true')
  } catch (err) {
    return answer(res, 400, { 'Content-Type': 'text/plain; charset=utf-8' }, String(err))
  }
  const event = {
    body: parsed,
    headers: req.headers,
    method: req.method,
    query: { ...querystring.parse(url.search.slice(1)) },
    path: url.pathname
  }
  try {
    const value = await handler(event, context, context.done)
    const waits = value === undefined && handler.length > 2 // for its callback
    if (!context.cbCalled && !waits) context.done(undefined, value)
  } catch (err) {
    context.done(err || new Error('failed'))
  }
}

// serveEvent runs the handler of trigger events. A failure is status 500, which
// makes the invocation a failed one.
async function serveEvent (handleEvent, req, res) {
  const deadline = Number(req.headers['x-lambda-deadline-ms'])
  const context = {
    awsRequestId: req.headers['x-lambda-request-id'],
    invokedFunctionArn: req.headers['x-lambda-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => deadline - Date.now()
  }
  try {
    const value = await handleEvent(JSON.parse((await read(req)).toString('utf8')), context)
    answer(res, 200, { 'Content-Type': 'application/json' }, JSON.stringify(value === undefined ? null : value))
  } catch (err) {
    console.error(err)
    answer(res, 500, { 'Content-Type': 'text/plain; charset=utf-8' }, String(err))
  }
}

// createServer serves what a function's module exports: the handler itself, or as
// its default, and handleEvent beside it.
function createServer (module) {
  const handler = typeof module === 'function' ? module : module.default
  const handleEvent = module.handleEvent || (handler && handler.handleEvent)
  // Events come from Lambda alone; a client's header elsewhere makes none.
  const onLambda = Boolean(process.env.AWS_LAMBDA_FUNCTION_NAME)
  const server = http.createServer((req, res) => {
    const isEvent = handleEvent && onLambda && req.headers['x-lambda-event-source']
    const served = isEvent ? serveEvent(handleEvent, req, res) : serveRequest(handler, req, res)
    served.catch(err => { console.error(err); res.destroy() })
  })
  server.keepAliveTimeout = 0 // the watchdog ends connections, not the function
  server.requestTimeout = 0
  return server
}

module.exports = { createServer }

if (require.main === module) {
  const server = createServer(require('./function/handler'))
  server.listen(Number(process.env.http_port) || 3000, '127.0.0.1')
  process.on('SIGTERM', () => server.close(() => process.exit(0)))
}
