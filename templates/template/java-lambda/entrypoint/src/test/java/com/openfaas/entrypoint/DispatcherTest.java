package com.openfaas.entrypoint;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.openfaas.model.AbstractHandler;
import com.openfaas.model.IHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public class DispatcherTest {
    private static final Map<String, String> LAMBDA = Map.of("AWS_LAMBDA_FUNCTION_NAME", "fn");
    private static final String BATCH = "{\"Records\":[{\"messageId\":\"1\",\"body\":\"good\",\"eventSource\":\"aws:sqs\"},{\"messageId\":\"2\",\"body\":\"bad\"}]}";

    /** Says what it was asked, and fails the messages that are bad. */
    public static class Sqs extends AbstractHandler implements RequestHandler<SQSEvent, SQSBatchResponse> {
        @Override
        public IResponse Handle(IRequest request) {
            return text("request " + request.getBody());
        }

        @Override
        public SQSBatchResponse handleRequest(SQSEvent event, Context context) {
            return new SQSBatchResponse(event.getRecords().stream().filter(m -> m.getBody().equals("bad"))
                .map(m -> new SQSBatchResponse.BatchItemFailure(m.getMessageId() + context.getAwsRequestId())).toList());
        }
    }

    /** Inherits both. */
    public static class Inherited extends Sqs {
    }

    /** Has types of nobody's. */
    public static class Own extends AbstractHandler implements RequestHandler<Map<String, List<Integer>>, Integer> {
        @Override
        public IResponse Handle(IRequest request) {
            return null;
        }

        @Override
        public Integer handleRequest(Map<String, List<Integer>> event, Context context) {
            return event.get("n").stream().mapToInt(Integer::intValue).sum();
        }
    }

    /** Reads and writes the bytes. */
    public static class Stream extends AbstractHandler implements RequestStreamHandler {
        @Override
        public IResponse Handle(IRequest request) {
            return null;
        }

        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            in.transferTo(out);
        }
    }

    private static Response text(String body) {
        Response response = new Response();
        response.setBody(body);
        return response;
    }

    private static HttpResponse<byte[]> send(IHandler handler, Map<String, String> env, HttpRequest.Builder request, String path) throws Exception {
        HttpServer server = App.serve(0, new Dispatcher(handler, env));
        try {
            URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
            return HttpClient.newHttpClient().send(request.uri(uri).build(), HttpResponse.BodyHandlers.ofByteArray());
        } finally {
            server.stop(0);
        }
    }

    private static String event(IHandler handler, Map<String, String> env, String event) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder().POST(HttpRequest.BodyPublishers.ofString(event))
            .header("X-Lambda-Event-Source", "aws:sqs").header("X-Lambda-Request-Id", "-id");
        HttpResponse<byte[]> response = send(handler, env, request, "/");
        return response.statusCode() + " " + new String(response.body(), StandardCharsets.UTF_8);
    }

    @Test
    public void requestsArriveWhole() throws Exception {
        IHandler handler = r -> text(String.join("|", r.getMethod(), r.getBody(), r.getHeader("x-a"), r.getQueryRaw(), r.getQuery().get("b"), r.getPathRaw(), r.getPath().get("user")));
        HttpRequest.Builder request = HttpRequest.newBuilder().PUT(HttpRequest.BodyPublishers.ofString("hé")).header("X-A", "1");
        assertEquals("PUT|hé|1|b=%20c&d| c|/user/x y|x y", new String(send(handler, Map.of(), request, "/user/x%20y?b=%20c&d").body(), StandardCharsets.UTF_8));
    }

    @Test
    public void bytesGoOutAsTheyAre() throws Exception {
        byte[] bytes = new byte[5 << 20];
        bytes[1] = (byte) 0xff;
        IHandler handler = r -> {
            Response response = new Response();
            response.setBodyBytes(r.getBodyBytes());
            response.setStatusCode(201);
            response.setContentType("image/png");
            response.setHeader("X-B", "2");
            return response;
        };
        HttpResponse<byte[]> got = send(handler, Map.of(), HttpRequest.newBuilder().POST(HttpRequest.BodyPublishers.ofByteArray(bytes)), "/");
        assertArrayEquals(bytes, got.body());
        assertEquals("201 image/png 2", got.statusCode() + " " + got.headers().firstValue("content-type").get() + " " + got.headers().firstValue("x-b").get());
    }

    @Test
    public void answersWithoutABody() throws Exception {
        IHandler handler = r -> {
            Response response = text("not for HEAD");
            response.setStatusCode(r.getMethod().equals("HEAD") ? 200 : 204);
            return response;
        };
        assertEquals(200, send(handler, Map.of(), HttpRequest.newBuilder().method("HEAD", HttpRequest.BodyPublishers.noBody()), "/").statusCode());
        assertEquals(204, send(handler, Map.of(), HttpRequest.newBuilder().GET(), "/").statusCode());
    }

    @Test
    public void aFailureIsStatus500() throws Exception {
        IHandler handler = r -> {
            throw new IllegalStateException("no ink");
        };
        HttpResponse<byte[]> got = send(handler, Map.of(), HttpRequest.newBuilder().GET(), "/");
        assertEquals(500, got.statusCode());
        assertTrue(new String(got.body(), StandardCharsets.UTF_8).contains("no ink"));
    }

    @Test
    public void eventsGoToHandleRequest() throws Exception {
        assertEquals("200 {\"batchItemFailures\":[{\"itemIdentifier\":\"2-id\"}]}", event(new Sqs(), LAMBDA, BATCH));
        assertEquals("200 {\"batchItemFailures\":[{\"itemIdentifier\":\"2-id\"}]}", event(new Inherited(), LAMBDA, BATCH));
        assertEquals("200 6", event(new Own(), LAMBDA, "{\"n\":[1,2,3]}"));
        assertEquals("200 {\"any\":1}", event(new Stream(), LAMBDA, "{\"any\":1}"));
        assertTrue(event(new Sqs(), LAMBDA, "{").startsWith("500 "));
    }

    @Test
    public void eventsElsewhereAreRequests() throws Exception {
        assertEquals("200 request {}", event(new Sqs(), Map.of(), "{}")); // forged
        assertEquals("200 plain {}", event(r -> text("plain " + r.getBody()), LAMBDA, "{}"));
    }
}
