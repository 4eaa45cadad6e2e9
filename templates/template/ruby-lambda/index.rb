# frozen_string_literal: true

# Serves the function's handler to the watchdog in front of it, and the events of
# Lambda's triggers to its handle_event where there is one. It needs nothing but
# Ruby, so a cold start loads nothing else.

require 'json'
require 'socket'
require 'stringio'

# EventContext is what Lambda's own runtime gives a handler, as far as it is known
# here.
EventContext = Struct.new(:aws_request_id, :invoked_function_arn, :deadline_ms) do
  def function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
  def function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
  def memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
  def log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
  def log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
  def get_remaining_time_in_millis = [0, deadline_ms.to_i - (Time.now.to_f * 1000).to_i].max
end

# Connection serves the requests of one connection, one after another.
class Connection
  REASONS = { 200 => 'OK', 201 => 'Created', 202 => 'Accepted', 204 => 'No Content', 400 => 'Bad Request', 404 => 'Not Found',
              500 => 'Internal Server Error' }.freeze

  def initialize(socket, handler)
    @socket = socket
    @handler = handler
    # Events come from Lambda alone; a client's header elsewhere makes none.
    @events = !ENV['AWS_LAMBDA_FUNCTION_NAME'].to_s.empty? && handler.respond_to?(:handle_event)
  end

  def serve
    while (line = @socket.gets("\r\n"))
      method, target, = line.split
      env = environment(method, target, read_headers)
      body = read_body(env)
      answer(method, *respond(env, body))
    end
  rescue SystemCallError, IOError
    nil # the watchdog has gone
  ensure
    @socket.close
  end

  private

  def read_headers
    headers = []
    while (line = @socket.gets("\r\n")) && line != "\r\n"
      name, value = line.chomp.split(':', 2)
      headers << [name, value.strip]
    end
    headers
  end

  # environment is the request in Rack's form.
  def environment(method, target, headers)
    path, query = target.split('?', 2)
    env = { 'REQUEST_METHOD' => method, 'PATH_INFO' => path, 'QUERY_STRING' => query.to_s, 'REQUEST_URI' => target, 'SCRIPT_NAME' => '',
            'SERVER_PROTOCOL' => 'HTTP/1.1', 'rack.url_scheme' => 'http' }
    headers.each do |name, value|
      key = name.upcase.tr('-', '_')
      key = "HTTP_#{key}" unless %w[CONTENT_TYPE CONTENT_LENGTH].include?(key)
      env[key] = env.key?(key) ? "#{env[key]},#{value}" : value
    end
    env
  end

  def read_body(env)
    return read_chunks if env['HTTP_TRANSFER_ENCODING'].to_s.downcase.include?('chunked')

    length = env['CONTENT_LENGTH'].to_i
    length.zero? ? String.new : @socket.read(length)
  end

  def read_chunks
    body = String.new
    while (size = @socket.gets("\r\n").to_i(16)).positive?
      body << @socket.read(size)
      @socket.gets("\r\n")
    end
    nil until @socket.gets("\r\n") == "\r\n"
    body
  end

  # respond returns body, headers and status of what the handler says.
  def respond(env, body)
    if @events && env['HTTP_X_LAMBDA_EVENT_SOURCE']
      context = EventContext.new(env['HTTP_X_LAMBDA_REQUEST_ID'], env['HTTP_X_LAMBDA_FUNCTION_ARN'], env['HTTP_X_LAMBDA_DEADLINE_MS'])
      return [JSON.generate(@handler.handle_event(JSON.parse(body), context)), { 'content-type' => 'application/json' }, 200]
    end
    io = StringIO.new(body)
    env['rack.input'] = io
    @handler.run(io, env)
  rescue StandardError => e
    warn e.full_message(highlight: false)
    ["#{e.class}: #{e.message}", { 'content-type' => 'text/plain; charset=utf-8' }, 500]
  end

  def answer(method, body, headers = nil, status = nil)
    status = (status || 200).to_i
    headers = (headers || {}).reject { |name, _| name.to_s.downcase == 'content-length' }
    headers = { 'content-type' => 'text/html;charset=utf-8' }.merge(headers) unless headers.keys.any? { |n| n.to_s.downcase == 'content-type' }
    data = bytes(body)
    head = "HTTP/1.1 #{status} #{REASONS.fetch(status, 'Status')}\r\n".b
    headers.each { |name, values| Array(values).each { |value| head << "#{name}: #{value}\r\n".b } }
    bodiless = [204, 304].include?(status)
    head << "content-length: #{data.bytesize}\r\n" unless bodiless
    head << "\r\n"
    head << data unless method == 'HEAD' || bodiless
    @socket.write(head)
  end

  def bytes(body)
    return body.b if body.is_a?(String)
    return body.read.to_s.b if body.respond_to?(:read)

    parts = String.new
    body.each { |part| parts << part.to_s.b } if body.respond_to?(:each)
    parts = body.to_s.b if parts.empty? && !body.respond_to?(:each)
    parts
  end
end

# serve answers on a listening socket until it is closed.
def serve(server, handler)
  loop do
    socket = server.accept
    socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    Thread.new { Connection.new(socket, handler).serve }
  end
rescue IOError
  nil # closed
end

if $PROGRAM_NAME == __FILE__
  gems = File.join(__dir__, 'gems')
  Gem.paths = { 'GEM_PATH' => [*Gem.path, gems].join(':') } if Dir.exist?(gems)
  require_relative 'function/handler'
  $stdout.sync = true
  server = TCPServer.new('127.0.0.1', (ENV['http_port'] || 5000).to_i)
  trap('TERM') { exit!(0) }
  serve(server, Handler.new)
end
