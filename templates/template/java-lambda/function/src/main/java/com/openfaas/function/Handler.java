package com.openfaas.function;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.openfaas.model.AbstractHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;
import java.util.List;

public class Handler extends AbstractHandler implements RequestHandler<SQSEvent, SQSBatchResponse> {
    /** Answers a request. */
    @Override
    public IResponse Handle(IRequest request) {
        Response response = new Response();
        response.setContentType("text/plain; charset=utf-8");
        response.setBody("Hello, " + request.getBody() + "!\n");
        return response;
    }

    /**
     * Handles an event of one of Lambda's triggers, such as a batch of SQS. Delete it, its interface and the packages of com.amazonaws in
     * pom.xml if the function has none.
     */
    @Override
    public SQSBatchResponse handleRequest(SQSEvent event, Context context) {
        for (SQSEvent.SQSMessage message : event.getRecords()) {
            System.out.println(message.getMessageId() + " " + message.getBody());
        }
        return new SQSBatchResponse(List.of());
    }
}
