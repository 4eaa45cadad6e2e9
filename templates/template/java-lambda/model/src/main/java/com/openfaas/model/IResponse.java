package com.openfaas.model;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What a handler answers. */
public interface IResponse {
    String getBody();

    /** Sets the body, which goes out as UTF-8. */
    void setBody(String body);

    /** The bytes that go out. */
    default byte[] getBodyBytes() {
        String body = getBody();
        return body == null ? new byte[0] : body.getBytes(StandardCharsets.UTF_8);
    }

    String getHeader(String name);

    void setHeader(String name, String value);

    Map<String, String> getHeaders();

    void setContentType(String contentType);

    String getContentType();

    void setStatusCode(int statusCode);

    int getStatusCode();
}
