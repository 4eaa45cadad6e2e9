package com.openfaas.entrypoint;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.events.LambdaEventSerializers;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import com.sun.net.httpserver.Headers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/**
 * Gives the events of triggers to a handler with one of AWS's own interfaces, RequestHandler and RequestStreamHandler, reading and writing
 * their types as Lambda's runtime does. AWS's packages need only be there where a function implements one of them.
 */
final class Events {
    private static final Set<String> INTERFACES = Set.of(
        "com.amazonaws.services.lambda.runtime.RequestHandler", "com.amazonaws.services.lambda.runtime.RequestStreamHandler");

    private final Object handler;
    private final Map<String, String> env;

    Events(Object handler, Map<String, String> env) {
        this.handler = handler;
        this.env = env;
    }

    /** Tells by names whether a handler has one of the interfaces, since without AWS's packages nobody can have them. */
    static boolean takenBy(Object handler) {
        return isOne(handler.getClass());
    }

    private static boolean isOne(Class<?> type) {
        return type != null && (INTERFACES.contains(type.getName()) || isOne(type.getSuperclass()) || Arrays.stream(type.getInterfaces()).anyMatch(Events::isOne));
    }

    byte[] handle(byte[] event, Headers headers) throws IOException {
        Context context = new EventContext(env, headers);
        ByteArrayInputStream in = new ByteArrayInputStream(event);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (handler instanceof RequestStreamHandler stream) {
            stream.handleRequest(in, out, context);
        } else {
            @SuppressWarnings("unchecked") // the serializer is that of the method's own type
            RequestHandler<Object, Object> typed = (RequestHandler<Object, Object>) handler;
            Object result = typed.handleRequest(serializer(eventType()).fromJson(in), context);
            if (result == null) {
                return "null".getBytes(StandardCharsets.UTF_8);
            }
            serializer(result.getClass()).toJson(result, out);
        }
        return out.toByteArray();
    }

    /** The type that the handler's own handleRequest takes; the one with Object is the compiler's bridge to it. */
    private Type eventType() {
        for (Method method : handler.getClass().getMethods()) {
            if (method.getName().equals("handleRequest") && method.getParameterCount() == 2 && !method.isBridge()) {
                return method.getGenericParameterTypes()[0];
            }
        }
        throw new IllegalStateException(handler.getClass() + " has no handleRequest");
    }

    @SuppressWarnings("unchecked")
    private static PojoSerializer<Object> serializer(Type type) {
        if (type instanceof Class<?> known && LambdaEventSerializers.isLambdaSupportedEvent(known.getName())) {
            return (PojoSerializer<Object>) LambdaEventSerializers.serializerFor(known, known.getClassLoader());
        }
        return (PojoSerializer<Object>) JacksonFactory.getInstance().getSerializer(type);
    }
}
