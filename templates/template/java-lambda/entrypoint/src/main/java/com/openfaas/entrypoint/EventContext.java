package com.openfaas.entrypoint;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.sun.net.httpserver.Headers;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** AWS's context of an invocation, as far as it is known here. */
final class EventContext implements Context {
    private final Map<String, String> env;
    private final Headers headers;

    EventContext(Map<String, String> env, Headers headers) {
        this.env = env;
        this.headers = headers;
    }

    @Override
    public String getAwsRequestId() {
        return headers.getFirst("X-Lambda-Request-Id");
    }

    @Override
    public String getInvokedFunctionArn() {
        return headers.getFirst("X-Lambda-Function-Arn");
    }

    @Override
    public int getRemainingTimeInMillis() {
        String deadline = headers.getFirst("X-Lambda-Deadline-Ms");
        return deadline == null ? 0 : (int) Math.max(0, Long.parseLong(deadline) - System.currentTimeMillis());
    }

    @Override
    public String getFunctionName() {
        return env.get("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return env.get("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getLogGroupName() {
        return env.get("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return env.get("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(env.getOrDefault("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"));
    }

    @Override
    public CognitoIdentity getIdentity() {
        return null;
    }

    @Override
    public ClientContext getClientContext() {
        return null;
    }

    @Override
    public LambdaLogger getLogger() {
        return new LambdaLogger() {
            @Override
            public void log(String message) {
                System.out.println(message);
            }

            @Override
            public void log(byte[] message) {
                log(new String(message, StandardCharsets.UTF_8));
            }
        };
    }
}
