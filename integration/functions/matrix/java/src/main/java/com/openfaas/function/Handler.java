package com.openfaas.function;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.openfaas.model.AbstractHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.zip.CRC32;
import org.xerial.snappy.Snappy;

/** The Java function of the matrix answers by path. */
public class Handler extends AbstractHandler implements RequestHandler<SQSEvent, SQSBatchResponse> {
    private static final byte[] PNG = Base64.getDecoder()
        .decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");

    @Override
    public IResponse Handle(IRequest request) {
        try {
            switch (request.getPathRaw()) {
                case "/json":
                    return answer("application/json", "{\"language\":\"java\"}");
                case "/html":
                    return answer("text/html; charset=utf-8", "<p>java</p>");
                case "/png":
                    return answer("image/png", PNG);
                case "/echo":
                    return answer("application/octet-stream", request.getBodyBytes());
                case "/native":
                    return answer("application/json", "{\"crc32\":" + checksum("hello") + "}");
                case "/secret":
                    return answer("text/plain", Files.readAllBytes(Path.of(System.getenv("secret_mount_path"), "matrix")));
                case "/crash":
                    Runtime.getRuntime().halt(3);
                    return null;
                case "/slow":
                    Thread.sleep(10_000);
                    return null;
                default:
                    throw new IllegalArgumentException(request.getPathRaw());
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** The checksum of what has gone through native code and back. */
    private static long checksum(String text) throws Exception {
        CRC32 sum = new CRC32();
        sum.update(Snappy.uncompress(Snappy.compress(text.getBytes(StandardCharsets.UTF_8))));
        return sum.getValue();
    }

    private static Response answer(String contentType, String body) {
        return answer(contentType, body.getBytes(StandardCharsets.UTF_8));
    }

    private static Response answer(String contentType, byte[] body) {
        Response response = new Response();
        response.setContentType(contentType);
        response.setBodyBytes(body);
        return response;
    }

    /** Fails the messages whose body is "bad". */
    @Override
    public SQSBatchResponse handleRequest(SQSEvent event, Context context) {
        return new SQSBatchResponse(event.getRecords().stream().filter(m -> m.getBody().equals("bad"))
            .map(m -> new SQSBatchResponse.BatchItemFailure(m.getMessageId())).toList());
    }
}
