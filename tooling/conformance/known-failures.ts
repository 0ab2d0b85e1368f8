/**
 * Tests that Tidewire's broker does not pass yet, each with the reason. A test that begins to pass must be taken out:
 * until then the run fails.
 */
export const knownFailures: Readonly<Record<string, string>> = {}

/** Tests of what a server need not offer, and Tidewire has no way to leave out, each with the reason. */
export const notOffered: Readonly<Record<string, string>> = {
  'a broker says when it has no shared subscriptions (MQTT 5.0)': 'it has shared subscriptions',
  'a broker says when it has no QoS 1 or 2, and grants subscriptions all the same (MQTT 5.0)': 'it has QoS 1 and 2',
  'a broker says when it retains nothing (MQTT 5.0)': 'it retains messages',
  'a broker says when it has no wildcard subscriptions (MQTT 3.1.1)': 'it has wildcard subscriptions',
  'a broker says when it has no wildcard subscriptions (MQTT 5.0)': 'it has wildcard subscriptions',
  'a broker says when it has no Subscription Identifiers (MQTT 5.0)': 'it has Subscription Identifiers',
  'a Server Keep Alive is held instead of the client’s (MQTT 5.0)': 'its Server Keep Alive is too long to wait for',
}
