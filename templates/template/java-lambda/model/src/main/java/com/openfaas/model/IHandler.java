package com.openfaas.model;

/** Answers requests. */
public interface IHandler {
    IResponse Handle(IRequest request);
}
