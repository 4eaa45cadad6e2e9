'use strict'
// Stands for a server of the node templates: it answers with what it got.
const http = require('node:http')
http.createServer((req, res) => {
  let body = ''
  req.on('data', part => { body += part })
  req.on('end', () => res.end(JSON.stringify({ body, home: process.cwd() })))
}).listen(3000)
