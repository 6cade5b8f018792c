import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.object.Device;
import org.eclipse.leshan.client.object.Oscore;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.util.Hex;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * Eclipse Leshan's client: bootstraps once and prints how that ended and the objects it then has, keys as hex.
 * Arguments: URI ENDPOINT, then `nosec`, `psk IDENTITY KEY_HEX`, `x509 CERTIFICATE KEY SERVER_CERTIFICATE` or
 * `rpk PUBLIC_KEY KEY SERVER_PUBLIC_KEY`, each of these a file in DER.
 */
public class LeshanPeer {
    public static void main(String[] args) throws Exception {
        ObjectsInitializer objects = new ObjectsInitializer(new StaticModel(ObjectLoader.loadAllDefault()));
        objects.setInstancesForObject(LwM2mId.SECURITY, account(args));
        objects.setClassForObject(LwM2mId.SERVER, Server.class);
        objects.setClassForObject(LwM2mId.OSCORE, Oscore.class);
        objects.setInstancesForObject(LwM2mId.DEVICE, new Device("Leshan", "peer", "1"));

        CaliforniumClientEndpointsProvider.Builder endpoints = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider());
        Configuration configuration = endpoints.createDefaultConfiguration();
        configuration.setTransient(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY);
        endpoints.setConfiguration(configuration);
        LeshanClientBuilder builder = new LeshanClientBuilder(args[1]);
        builder.setObjects(objects.createAll());
        builder.setEndpointsProviders(endpoints.build());
        LeshanClient client = builder.build();

        CompletableFuture<String> outcome = new CompletableFuture<>();
        client.addObserver(new LwM2mClientObserverAdapter() {
            @Override
            public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
                outcome.complete("success");
            }

            @Override
            public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code, String message,
                    Exception cause) {
                outcome.complete("failure " + code + " " + message + " " + cause);
            }

            @Override
            public void onBootstrapTimeout(LwM2mServer server, BootstrapRequest request) {
                outcome.complete("timeout");
            }
        });
        client.start();
        try {
            System.out.println("outcome = " + outcome.get(40, TimeUnit.SECONDS));
        } catch (TimeoutException e) {
            System.out.println("outcome = nothing in 40 s");
        }
        for (LwM2mObjectEnabler object : client.getObjectTree().getObjectEnablers().values()) {
            if (object.getId() != LwM2mId.DEVICE) print(object);
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static Security account(String[] args) throws Exception {
        switch (args[2]) {
        case "nosec":
            return Security.noSecBootstrap(args[0]);
        case "psk":
            return Security.pskBootstrap(args[0], args[3].getBytes(), Hex.decodeHex(args[4].toCharArray()));
        case "x509":
            return Security.x509Bootstrap(args[0], file(args[3]), file(args[4]), file(args[5]));
        default:
            return Security.rpkBootstrap(args[0], file(args[3]), file(args[4]), file(args[5]));
        }
    }

    private static byte[] file(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    private static void print(LwM2mObjectEnabler object) {
        for (int instance : new TreeSet<>(object.getAvailableInstanceIds())) {
            for (int id : new TreeSet<>(object.getAvailableResourceIds(instance))) {
                ReadResponse read = object.read(LwM2mServer.SYSTEM, new ReadRequest(object.getId(), instance, id));
                if (!read.isSuccess() || !(read.getContent() instanceof LwM2mResource)) continue;
                LwM2mResource resource = (LwM2mResource) read.getContent();
                String path = "/" + object.getId() + "/" + instance + "/" + id;
                if (resource.isMultiInstances()) resource.getInstances().forEach((key, value) -> print(path + "/" + key, value.getValue()));
                else print(path, resource.getValue());
            }
        }
    }

    private static void print(String path, Object value) {
        System.out.println(path + " = " + (value instanceof byte[] ? Hex.encodeHexString((byte[]) value) : value));
    }
}
