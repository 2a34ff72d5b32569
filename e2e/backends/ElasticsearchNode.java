import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One Elasticsearch node on the loopback, from the jars alone. Arguments: folder of modules, folder of data, HTTP port, transport port. */
public class ElasticsearchNode {
  public static void main(String[] args) throws Exception {
    Path modules = Path.of(args[0]).toAbsolutePath();
    Path home = Path.of(args[1]).toAbsolutePath();
    for (String folder : new String[] {"config", "modules", "plugins", "data", "logs"}) {
      Files.createDirectories(home.resolve(folder));
    }
    LogConfigurator.configureESLogging();
    Settings settings = Settings.builder()
        .put("path.home", home.toString())
        .put("cluster.name", "headway-test")
        .put("node.name", "headway-test")
        .put("discovery.type", "single-node")
        .put("network.host", "127.0.0.1")
        .put("http.port", Integer.parseInt(args[2]))
        .put("transport.port", Integer.parseInt(args[3]))
        .put("node.store.allow_mmap", false)
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .build();
    Environment env = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "headway-test");
    LogConfigurator.configureWithoutConfig(env.settings());
    PluginsLoader plugins = PluginsLoader.createPluginsLoader(
        PluginsLoader.loadModulesBundles(modules), PluginsLoader.loadPluginsBundles(home.resolve("plugins")), Map.of(), false);
    Node node = new Node(env, plugins);
    node.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        node.close();
      } catch (Exception e) {
        e.printStackTrace();
      }
    }));
    Thread.currentThread().join();
  }
}
