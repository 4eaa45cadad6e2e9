import static org.junit.Assert.assertEquals;

import com.openfaas.function.Handler;
import com.openfaas.model.Request;
import java.util.Map;
import org.junit.Test;

public class HandlerTest {
    @Test
    public void itSaysHello() {
        assertEquals("Hello, world!\n", new Handler().Handle(new Request("world", Map.of())).getBody());
    }
}
