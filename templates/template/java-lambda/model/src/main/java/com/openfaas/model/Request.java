package com.openfaas.model;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** A request that is held in memory. */
public class Request implements IRequest {
    private final String method;
    private final byte[] body;
    private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    private final String query;
    private final String path;

    public Request(String body, Map<String, String> headers) {
        this(body, headers, null, null);
    }

    /** A POST request; the query is not decoded yet, the path is. Any of them may be null. */
    public Request(String body, Map<String, String> headers, String queryRaw, String path) {
        this("POST", body == null ? new byte[0] : body.getBytes(StandardCharsets.UTF_8), headers, queryRaw, path);
    }

    /** A request of any method, with a body of any bytes, which is not copied. */
    public Request(String method, byte[] body, Map<String, String> headers, String queryRaw, String path) {
        this.method = method;
        this.body = body;
        this.query = queryRaw;
        this.path = path;
        if (headers != null) {
            this.headers.putAll(headers);
        }
    }

    @Override
    public String getMethod() {
        return method;
    }

    @Override
    public String getBody() {
        return new String(body, StandardCharsets.UTF_8);
    }

    @Override
    public byte[] getBodyBytes() {
        return body;
    }

    @Override
    public Map<String, String> getHeaders() {
        return headers;
    }

    @Override
    public String getHeader(String name) {
        return headers.get(name);
    }

    @Override
    public String getQueryRaw() {
        return query;
    }

    @Override
    public Map<String, String> getQuery() {
        Map<String, String> parameters = new HashMap<>();
        if (query == null || query.isEmpty()) {
            return parameters;
        }
        for (String pair : query.split("&")) {
            int equals = pair.indexOf('=');
            String name = equals < 0 ? pair : pair.substring(0, equals);
            parameters.put(decode(name), equals < 0 ? null : decode(pair.substring(equals + 1)));
        }
        return parameters;
    }

    private static String decode(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return text; // a percent sign that encodes nothing
        }
    }

    @Override
    public String getPathRaw() {
        return path;
    }

    @Override
    public Map<String, String> getPath() {
        Map<String, String> pairs = new HashMap<>();
        if (path == null) {
            return pairs;
        }
        String[] segments = path.replaceFirst("^/", "").split("/");
        for (int i = 0; i < segments.length && !segments[i].isEmpty(); i += 2) {
            pairs.put(segments[i], i + 1 < segments.length ? segments[i + 1] : "");
        }
        return pairs;
    }
}
