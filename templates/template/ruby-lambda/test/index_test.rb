# frozen_string_literal: true

require 'json'
require 'minitest/autorun'
require 'net/http'

ENV['AWS_LAMBDA_FUNCTION_NAME'] = 'fn'
require_relative '../index'
require_relative '../function/handler'

# Fixed answers what a block does.
class Fixed
  def initialize(&block) = @block = block
  def run(body, headers) = @block.call(body, headers)
end

class IndexTest < Minitest::Test
  def with(handler)
    server = TCPServer.new('127.0.0.1', 0)
    thread = Thread.new { serve(server, handler) }
    Net::HTTP.start('127.0.0.1', server.addr[1]) { |http| yield http }
  ensure
    server.close
    thread.join
  end

  def test_the_request_is_in_the_environment
    handler = Fixed.new { |body, env| [JSON.generate([body.read, *env.values_at('REQUEST_METHOD', 'PATH_INFO', 'QUERY_STRING', 'HTTP_X_A', 'CONTENT_TYPE')])] }
    with(handler) do |http|
      res = http.send_request('PUT', '/a%20b?x=1', 'hi', 'X-A' => '1', 'Content-Type' => 'text/x')
      assert_equal ['hi', 'PUT', '/a%20b', 'x=1', '1', 'text/x'], JSON.parse(res.body)
    end
  end

  def test_chunked_bodies_and_more_than_one_request
    with(Fixed.new { |body, _| [body.read] }) do |http|
      2.times do
        req = Net::HTTP::Post.new('/')
        req.body_stream = StringIO.new('hello' * 5000)
        req['Transfer-Encoding'] = 'chunked'
        assert_equal 'hello' * 5000, http.request(req).body
      end
    end
  end

  def test_answers
    {
      'status and headers' => [['x', { 'content-type' => 'a/b' }, 404], 404, 'a/b', 'x'],
      'bytes' => [["\xff".b, { 'Content-Type' => 'image/png' }], 200, 'image/png', "\xff".b],
      'parts' => [[%w[a b], nil, nil], 200, 'text/html;charset=utf-8', 'ab'],
      'no content' => [['', nil, 204], 204, 'text/html;charset=utf-8', nil]
    }.each do |name, (result, status, type, body)|
      with(Fixed.new { |*| result }) do |http|
        res = http.get('/')
        got = [res.code.to_i, res['content-type'], res.body]
        assert_equal [status, type], got[0, 2], name
        body.nil? ? assert_nil(got[2]) : assert_equal(body, got[2].b, name)
      end
    end
  end

  def test_an_exception_is_status_500
    capture_io do
      with(Fixed.new { |*| raise 'broken' }) do |http|
        res = http.get('/')
        assert_equal %w[500 RuntimeError:\ broken], [res.code, res.body]
      end
    end
  end

  def test_events_go_to_handle_event
    capture_io do
      with(Handler.new) do |http|
        res = http.post('/', '{"Records":[{"messageId":"1"}]}', 'X-Lambda-Event-Source' => 'aws:sqs')
        assert_equal({ 'batchItemFailures' => [] }, JSON.parse(res.body))
        assert_equal '500', http.post('/', '{}', 'X-Lambda-Event-Source' => 'aws:sqs').code
        assert_equal "Hello, world!\n", http.post('/', 'world').body
      end
    end
  end
end
