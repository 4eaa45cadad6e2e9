# frozen_string_literal: true

# The Ruby function of the matrix answers by path.
class Handler
  PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='.unpack1('m')

  def run(body, headers)
    case headers['PATH_INFO']
    when '/json' then ['{"language":"ruby"}', { 'content-type' => 'application/json' }]
    when '/html' then ['<p>ruby</p>', { 'content-type' => 'text/html' }]
    when '/png' then [PNG, { 'content-type' => 'image/png' }]
    when '/echo' then [body.read, { 'content-type' => 'application/octet-stream' }]
    when '/native'
      require 'zlib'
      require 'bcrypt' # the gem with a C extension
      raise 'bcrypt' unless BCrypt::Password.create('x', cost: 4) == 'x'

      [JSON.generate(crc32: Zlib.crc32('hello')), { 'content-type' => 'application/json' }]
    when '/secret' then [File.binread(File.join(ENV.fetch('secret_mount_path'), 'matrix')), {}]
    when '/crash' then exit!(3)
    when '/slow' then [sleep(10).to_s, {}]
    end
  end

  def handle_event(event, _context)
    bad = event['Records'].select { |m| m['body'] == 'bad' }
    { batchItemFailures: bad.map { |m| { itemIdentifier: m['messageId'] } } }
  end
end
