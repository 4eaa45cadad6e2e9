package com.openfaas.entrypoint;

import com.openfaas.model.IHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Request;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** Tells the events of Lambda's triggers from requests, and answers both. */
final class Dispatcher implements HttpHandler {
    private final IHandler handler;
    private final Events events;

    Dispatcher(IHandler handler, Map<String, String> env) {
        this.handler = handler;
        // Events come from Lambda alone; a client's header elsewhere makes none.
        boolean onLambda = !env.getOrDefault("AWS_LAMBDA_FUNCTION_NAME", "").isEmpty();
        this.events = onLambda && Events.takenBy(handler) ? new Events(handler, env) : null;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            try {
                if (events != null && exchange.getRequestHeaders().containsKey("X-Lambda-Event-Source")) {
                    exchange.getResponseHeaders().set("Content-Type", "application/json");
                    send(exchange, 200, events.handle(body, exchange.getRequestHeaders()));
                } else {
                    answer(exchange, handler.Handle(request(exchange, body)));
                }
            } catch (Exception | LinkageError e) {
                fail(exchange, e);
            }
        }
    }

    private static IRequest request(HttpExchange exchange, byte[] body) {
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name, values.get(0)));
        return new Request(exchange.getRequestMethod(), body, headers, exchange.getRequestURI().getRawQuery(), exchange.getRequestURI().getPath());
    }

    private static void answer(HttpExchange exchange, IResponse response) throws IOException {
        String contentType = response.getContentType();
        if (contentType != null && !contentType.isEmpty()) {
            exchange.getResponseHeaders().set("Content-Type", contentType);
        }
        response.getHeaders().forEach(exchange.getResponseHeaders()::set);
        send(exchange, response.getStatusCode(), response.getBodyBytes());
    }

    /** A failure is status 500, which makes the invocation of a trigger a failed one. */
    private static void fail(HttpExchange exchange, Throwable failure) throws IOException {
        failure.printStackTrace();
        if (exchange.getResponseCode() >= 0) {
            return; // the answer was under way
        }
        exchange.getResponseHeaders().clear();
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        send(exchange, 500, failure.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean bodiless = exchange.getRequestMethod().equals("HEAD") || status == 204 || status == 304;
        if (bodiless || body.length == 0) {
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }
}
