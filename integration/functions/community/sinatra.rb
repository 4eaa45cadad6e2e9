# Stands for the server of ruby-http: Sinatra.
require 'sinatra'
set :port, 5000
post('/*') { request.body.read }
