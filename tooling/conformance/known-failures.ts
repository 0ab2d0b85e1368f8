/**
 * Tests that Tidewire's broker does not pass yet, each with the reason. A test that begins to pass must be taken out:
 * until then the run fails.
 */
export const knownFailures: Readonly<Record<string, string>> = {
  'without Clean Start the session goes on: subscriptions and what came meanwhile (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'a takeover keeps the session (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'CONNACK comes first, once, and with reserved bits of 0 (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'CONNACK has no properties before MQTT 5.0, and MQTT 3.1 no Session Present (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'what is sent again has DUP, and nothing else has (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'properties are passed on in the order in which they came (MQTT 5.0)': 'the order is that of the table of properties',
  'Topic Aliases to a client are at most its Topic Alias Maximum, and stand for what they stood for (MQTT 5.0)':
    'the broker sends no Topic Aliases',
  'after UNSUBSCRIBE nothing new comes, and what is under way goes on (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'a SUBSCRIBE with many Topic Filters is as good as many SUBSCRIBEs (MQTT 3.1.1)':
    'the replay of the first subscription is given up when the second replaces it',
  'a SUBSCRIBE with many Topic Filters is as good as many SUBSCRIBEs (MQTT 5.0)':
    'the replay of the first subscription is given up when the second replaces it',
  'QoS 1 and 2: what is not acknowledged is sent again in the next connection, and only there (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'QoS 2: after PUBREC the PUBREL is sent again, never the PUBLISH (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'a message comes to all sessions that have subscribed, there or away (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'messages of one publisher, topic and QoS stay in their order (MQTT 3.1)':
    'a session of MQTT 3.1 cannot be resumed: CONNACK with Session Present is not encoded, and the connection breaks',
  'a shared subscription has a ShareName and a Topic Filter (MQTT 5.0)': 'there are no shared subscriptions',
  'a message goes to one client of a group, and to every group (MQTT 5.0)': 'there are no shared subscriptions',
  'a member gets messages at the QoS that it was granted (MQTT 5.0)': 'there are no shared subscriptions',
  'members of one group may have been granted different QoS (MQTT 5.0)': 'there are no shared subscriptions',
  'what a member has been sent is brought to its end when it is back (MQTT 5.0)': 'there are no shared subscriptions',
  'what a member of QoS 2 has been sent goes to no other when its session ends (MQTT 5.0)':
    'there are no shared subscriptions',
  'QoS 1 that a member leaves without acknowledgement goes to another (MQTT 5.0)': 'there are no shared subscriptions',
  'a message that a member refuses goes to no other (MQTT 5.0)': 'there are no shared subscriptions',
  'retained messages do not come to shared subscriptions (MQTT 5.0)': 'there are no shared subscriptions',
  'a shared subscription is deleted by its whole name (MQTT 5.0)': 'there are no shared subscriptions',
  'a shared subscription has its Subscription Identifier (MQTT 5.0)': 'there are no shared subscriptions',
  'an exchange of AUTH leads to CONNACK with the method (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'AUTH is no larger than the client takes (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'an exchange that fails ends the connection (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'during the exchange only AUTH and DISCONNECT are looked at (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'an exchange goes on with the method that it began with (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'a client may authenticate again (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'to authenticate again in vain, or with another method, ends the connection (MQTT 5.0)':
    'there is no enhanced authentication, and no mechanism for it in brokers.ts',
  'S-04 a retained message goes with the right of who published it':
    'the publisher of a retained message is not asked for again when it is delivered',
  'S-11 a shared subscription is no way round the rights': 'there are no shared subscriptions',
  'S-14 a client of before MQTT 5.0 cannot hold a connection for ever in silence':
    'its Keep Alive of 0 is left as it is, with no limit of its own',
  'S-21 QoS 2 that is never released is bounded, also before MQTT 5.0':
    'before MQTT 5.0 a client may have 65,535 messages unreleased',
  'S-26 ten thousand User Properties in a packet are refused, and told': 'there is no limit of User Properties',
  'S-29 a client is refused when nobody answers for it in time': 'the connection is cut without CONNACK',
  'S-35 what clients send does not break the lines of the log, nor fill it':
    'a Client Identifier of 1,024 characters is logged whole',
}

/** Tests of what a server need not offer, and Tidewire has no way to leave out, each with the reason. */
export const notOffered: Readonly<Record<string, string>> = {
  'a broker says when it has no QoS 1 or 2, and grants subscriptions all the same (MQTT 5.0)': 'it has QoS 1 and 2',
  'a broker says when it retains nothing (MQTT 5.0)': 'it retains messages',
  'a broker says when it has no wildcard subscriptions (MQTT 3.1.1)': 'it has wildcard subscriptions',
  'a broker says when it has no wildcard subscriptions (MQTT 5.0)': 'it has wildcard subscriptions',
  'a broker says when it has no Subscription Identifiers (MQTT 5.0)': 'it has Subscription Identifiers',
  'a Server Keep Alive is held instead of the client’s (MQTT 5.0)': 'its Server Keep Alive is too long to wait for',
}
