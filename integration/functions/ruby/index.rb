# Answers with what of the machine it finds itself in, as JSON.
require "digest"
require "fiddle"
require "json"
require "openssl"
require "socket"
require "zlib"

def maps = File.readlines("/proc/self/maps").map { |l| l.split(" ", 6)[5]&.strip }.compact.select { |p| p.include?("/") }.uniq.sort

def report(body)
  store = OpenSSL::X509::Store.new
  store.set_default_paths
  authority = OpenSSL::X509::Certificate.load(File.read(ENV.fetch("SSL_CERT_FILE"))).first
  {
    body: body, version: RUBY_VERSION,
    gems: Gem::Specification.map(&:name).sort,
    child: JSON.parse(`ruby -rjson -e 'puts JSON.generate(File.readlines("/proc/self/maps").map { |l| l.split(" ", 6)[5]&.strip }.compact.select { |p| p.include?("/") }.uniq.sort)'`),
    shell: `echo $0; ruby -e 'puts 6*7'`.strip,
    script: `hello.rb`.strip,
    trusted: store.verify(authority),
    dlopen: !Fiddle.dlopen("libz.so.1").nil?,
    zone: (ENV["TZ"] = "Asia/Tokyo"; Time.at(0).zone),
    maps: maps,
  }
end

server = TCPServer.new("127.0.0.1", 8082)
loop do
  Thread.new(server.accept) do |c|
    length = 0
    c.gets
    while (line = c.gets.strip) != ""
      length = line.split(":")[1].to_i if line.downcase.start_with?("content-length:")
    end
    answer, status = begin
      [JSON.generate(report(c.read(length))), "200 OK"]
    rescue StandardError, LoadError => e
      [JSON.generate({ error: e.full_message }), "500 Error"]
    end
    c.write("HTTP/1.1 #{status}\r\nContent-Length: #{answer.bytesize}\r\nConnection: close\r\n\r\n#{answer}")
    c.close
  end
end
