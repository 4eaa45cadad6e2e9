package com.openfaas.model;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** A request as a handler sees it. */
public interface IRequest {
    /** The body as text of UTF-8. */
    String getBody();

    /** The body's bytes, for what is no text. */
    default byte[] getBodyBytes() {
        return getBody().getBytes(StandardCharsets.UTF_8);
    }

    /** The method, such as POST. */
    default String getMethod() {
        return "POST";
    }

    /** The headers; of one that comes more than once, the first. */
    Map<String, String> getHeaders();

    /** A header by its name, in any case; null where there is none. */
    String getHeader(String name);

    /** The query as it came, without its question mark; null where there is none. */
    String getQueryRaw();

    /** The query's parameters, decoded: the last of each name, null for one without a value. */
    Map<String, String> getQuery();

    /** The path as it came, decoded. */
    String getPathRaw();

    /** The path's segments by twos, as name and value: /user/1 is user=1. */
    Map<String, String> getPath();
}
