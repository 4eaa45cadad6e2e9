# frozen_string_literal: true

class Handler
  # A request: body can be read, headers are its headers as Rack has them.
  def run(body, headers)
    ["Hello, #{body.read}!\n", { 'content-type' => 'text/plain' }, 200]
  end

  # An event of one of Lambda's triggers, such as a batch of SQS. Delete it if the
  # function has none.
  def handle_event(event, _context)
    event['Records'].each { |record| puts "#{record['messageId']} #{record['body']}" }
    { batchItemFailures: [] }
  end
end
