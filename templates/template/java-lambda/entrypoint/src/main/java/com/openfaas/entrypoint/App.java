package com.openfaas.entrypoint;

import com.openfaas.model.IHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** Serves the function's handler to the watchdog in front of it. */
public final class App {
    /** The class of every function. */
    private static final String HANDLER = "com.openfaas.function.Handler";

    private App() {
    }

    public static void main(String[] args) throws Exception {
        IHandler handler = (IHandler) Class.forName(HANDLER).getDeclaredConstructor().newInstance();
        HttpServer server = serve(8082, new Dispatcher(handler, System.getenv()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(10)));
    }

    /** Serves on a port of loopback; 0 picks one. */
    static HttpServer serve(int port, Dispatcher dispatcher) throws IOException {
        // Small answers go out at once, and connections are the watchdog's to end.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        System.setProperty("sun.net.httpserver.idleInterval", "1000000");
        System.setProperty("sun.net.httpserver.maxIdleConnections", "1000000");
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/", dispatcher);
        server.setExecutor(Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            return thread;
        }));
        server.start();
        return server;
    }
}
