'use strict'

const test = require('node:test')
const assert = require('node:assert')

process.env.AWS_LAMBDA_FUNCTION_NAME = 'test'
const { createServer } = require('../index')
console.error = () => {} // the errors below are meant

// serve runs f with the URL of a server of handler.
async function serve (handler, f) {
  const server = createServer(handler)
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    await f(`http://127.0.0.1:${server.address().port}`)
  } finally {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
}

const post = (url, body, type, more) => fetch(url, { method: 'POST', body, headers: { ...(type ? { 'content-type': type } : {}), ...more } })

test('bodies are what their content type says', async () => {
  const seen = []
  await serve(async (event) => { seen.push(event.body); return 'ok' }, async (url) => {
    await post(url, '{"a":1}', 'application/json')
    await post(url, 'hello', 'text/plain; charset=utf-8')
    await post(url, 'a=1&b=2&b=3', 'application/x-www-form-urlencoded')
    await post(url, new Uint8Array([255, 0]), 'image/png')
    await fetch(url)
    assert.strictEqual((await post(url, '{', 'application/json')).status, 400)
  })
  assert.deepStrictEqual(seen, [{ a: 1 }, 'hello', { a: '1', b: ['2', '3'] }, Buffer.from([255, 0]), {}])
})

test('the request is in the event', async () => {
  await serve(async (event) => ({ method: event.method, path: event.path, query: event.query, a: event.headers['x-a'], type: event.headers['content-type'] }), async (url) => {
    const res = await fetch(url + '//a%20b?x=1&x=2', { method: 'DELETE', headers: { 'X-A': '1' } })
    assert.deepStrictEqual(await res.json(), { method: 'DELETE', path: '//a%20b', query: { x: ['1', '2'] }, a: '1', type: 'text/plain' })
  })
})

test('answers', async (t) => {
  for (const [name, handler, status, type, body] of [
    ['object', async (e, c) => c.status(201).succeed({ a: 1 }), 201, /json/, '{"a":1}'],
    ['text', async () => '<p>', 200, /html/, '<p>'],
    ['bytes', async (e, c) => c.headers({ 'Content-Type': 'image/png' }).succeed(Buffer.from('png')), 200, /image\/png/, 'png'],
    ['callback', (e, c, done) => { setImmediate(done, undefined, 'later') }, 200, /html/, 'later'],
    ['nothing', async () => {}, 200, null, ''],
    ['failed', async (e, c) => c.fail('broken'), 500, /plain/, 'broken'],
    ['failed with a status', async (e, c) => c.status(418).fail('tea'), 418, /plain/, 'tea'],
    ['thrown', async () => { throw new Error('broken') }, 500, /plain/, 'Error: broken'],
    ['error to callback', (e, c, done) => done(new Error('broken')), 500, /plain/, 'Error: broken']
  ]) {
    await t.test(name, async () => {
      await serve(handler, async (url) => {
        const res = await fetch(url)
        assert.strictEqual(res.status, status)
        assert.strictEqual(await res.text(), body)
        if (type) assert.match(res.headers.get('content-type'), type)
      })
    })
  }
})

test('events go to handleEvent', async () => {
  const handler = async () => 'request'
  handler.handleEvent = async (event, context) => {
    if (event.fail) throw new Error('no ink')
    return { records: event.Records.length, left: context.getRemainingTimeInMillis() > 0, id: context.awsRequestId }
  }
  const headers = { 'x-lambda-event-source': 'aws:sqs', 'x-lambda-request-id': '7', 'x-lambda-deadline-ms': String(Date.now() + 60000) }
  await serve(handler, async (url) => {
    const res = await post(url, '{"Records":[1,2]}', 'application/json', headers)
    assert.deepStrictEqual(await res.json(), { records: 2, left: true, id: '7' })
    assert.strictEqual((await post(url, '{"fail":true}', 'application/json', headers)).status, 500)
    assert.strictEqual(await (await post(url, '{}', 'application/json')).text(), 'request')
  })
})

test('the function of the template answers', async () => {
  await serve(require('../function/handler'), async (url) => {
    assert.deepStrictEqual(await (await post(url, 'world', 'text/plain')).json(), { body: 'world' })
  })
})
