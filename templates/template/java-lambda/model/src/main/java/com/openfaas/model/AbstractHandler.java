package com.openfaas.model;

/** What functions extend. */
public abstract class AbstractHandler implements IHandler {
    @Override
    public abstract IResponse Handle(IRequest request);
}
