package com.openfaas.model;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** A response that a handler fills: status 200 without a body at first. */
public class Response implements IResponse {
    private int statusCode = 200;
    private byte[] body = new byte[0];
    private String contentType = "";
    private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

    @Override
    public int getStatusCode() {
        return statusCode;
    }

    @Override
    public void setStatusCode(int statusCode) {
        this.statusCode = statusCode;
    }

    @Override
    public Map<String, String> getHeaders() {
        return headers;
    }

    @Override
    public void setHeader(String name, String value) {
        headers.put(name, value);
    }

    @Override
    public String getHeader(String name) {
        return headers.get(name);
    }

    @Override
    public void setContentType(String contentType) {
        this.contentType = contentType;
    }

    @Override
    public String getContentType() {
        return contentType;
    }

    @Override
    public void setBody(String body) {
        this.body = body == null ? new byte[0] : body.getBytes(StandardCharsets.UTF_8);
    }

    /** Sets a body of any bytes, such as an image's. */
    public void setBodyBytes(byte[] body) {
        this.body = body;
    }

    @Override
    public String getBody() {
        return new String(body, StandardCharsets.UTF_8);
    }

    @Override
    public byte[] getBodyBytes() {
        return body;
    }
}
