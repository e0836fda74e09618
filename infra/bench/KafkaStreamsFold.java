import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The peer of `riverrun bench ingest` on the JVM: a user's newest 50 interactions, in a RocksDB store with a changelog.
 *
 * <p>One output record per event, holding the user's new list. Events are JSON (Jackson, into a record); lists are kept
 * and sent in a compact binary form, which is what a developer in search of speed would write.
 */
public final class KafkaStreamsFold {
  private static final int KEPT = 50;
  private static final String STORE = "interests";

  private KafkaStreamsFold() {}

  /** What the fold needs of an event. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  public record Event(String user_id, String item_id, String type, long ts) {}

  /** One thing a user did. */
  public record Interaction(String itemId, String type, long ts) {}

  /** Arguments: bootstrap servers, source topic, sink topic, application id, state folder, stream threads. */
  public static void main(String[] arguments) throws InterruptedException {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[5]);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000); // as often as riverrun commits
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 131_072); // not the 16 KiB it has by default
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        // Without a cache, which is the builder's default: with one it was a third slower, as most users miss it.
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), historySerde()));
    builder.stream(arguments[1], Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .processValues(Fold::new, STORE)
        .to(arguments[2], Produced.with(Serdes.String(), historySerde()));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      ended.countDown();
    }));
    streams.start();
    ended.await();
  }

  /** Appends each event to its user's list. */
  private static final class Fold implements FixedKeyProcessor<String, byte[], List<Interaction>> {
    private final ObjectReader reader = new ObjectMapper().readerFor(Event.class);
    private FixedKeyProcessorContext<String, List<Interaction>> context;
    private KeyValueStore<String, List<Interaction>> store;

    @Override
    public void init(FixedKeyProcessorContext<String, List<Interaction>> given) {
      context = given;
      store = given.getStateStore(STORE);
    }

    @Override
    public void process(FixedKeyRecord<String, byte[]> record) {
      Event event;
      try {
        event = reader.readValue(record.value());
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
      List<Interaction> before = store.get(event.user_id());
      List<Interaction> after = new ArrayList<>(KEPT + 1);
      if (before != null) {
        after.addAll(before.size() < KEPT ? before : before.subList(1, before.size()));
      }
      after.add(new Interaction(event.item_id(), event.type(), event.ts()));
      store.put(event.user_id(), after);
      context.forward(record.withValue(after));
    }
  }

  /** Per interaction: length and UTF-8 of the item, length and UTF-8 of the type, time; big endian. */
  private static Serde<List<Interaction>> historySerde() {
    return Serdes.serdeFrom(
        (topic, history) -> history == null ? null : encode(history),
        (topic, bytes) -> bytes == null ? null : decode(bytes));
  }

  private static byte[] encode(List<Interaction> history) {
    ByteBuffer out = ByteBuffer.allocate(bytesOf(history));
    for (Interaction each : history) {
      putText(out, each.itemId());
      putText(out, each.type());
      out.putLong(each.ts());
    }
    byte[] bytes = new byte[out.position()];
    out.flip().get(bytes);
    return bytes;
  }

  /** Enough for this list: a character takes up to three bytes. */
  private static int bytesOf(List<Interaction> history) {
    int bytes = 0;
    for (Interaction each : history) {
      bytes += 12 + 3 * (each.itemId().length() + each.type().length());
    }
    return bytes;
  }

  private static void putText(ByteBuffer out, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.putShort((short) bytes.length).put(bytes);
  }

  private static List<Interaction> decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    List<Interaction> history = new ArrayList<>(KEPT + 1);
    while (in.hasRemaining()) {
      history.add(new Interaction(text(in), text(in), in.getLong()));
    }
    return history;
  }

  private static String text(ByteBuffer in) {
    int length = in.getShort();
    String text = new String(in.array(), in.position(), length, StandardCharsets.UTF_8);
    in.position(in.position() + length);
    return text;
  }
}
