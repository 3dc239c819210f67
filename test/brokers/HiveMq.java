// HiveMQ Community Edition as a program: java -cp 'hivemq/*' HiveMq.java FOLDER. FOLDER holds its config.xml; everyone is let in.

import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import java.nio.file.Files;
import java.nio.file.Path;

public class HiveMq {
  private static class LetEveryoneIn implements ExtensionMain {
    @Override
    public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
      SimpleAuthenticator accept = (request, answer) -> answer.authenticateSuccessfully();
      Services.securityRegistry().setAuthenticatorProvider(provider -> accept);
    }

    @Override
    public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}
  }

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    EmbeddedExtension everyone =
        EmbeddedExtension.builder().withId("everyone").withName("everyone").withVersion("1").withExtensionMain(new LetEveryoneIn()).build();
    EmbeddedHiveMQ broker =
        EmbeddedHiveMQ.builder()
            .withConfigurationFolder(folder)
            .withDataFolder(Files.createDirectories(folder.resolve("data")))
            .withExtensionsFolder(Files.createDirectories(folder.resolve("extensions")))
            .withEmbeddedExtension(everyone)
            .build();
    broker.start().join();
    Thread.currentThread().join();
  }
}
