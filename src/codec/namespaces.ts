/** The XML namespaces this library speaks. */
export const ns = {
  client: "jabber:client",
  stanzas: "urn:ietf:params:xml:ns:xmpp-stanzas",
  discoInfo: "http://jabber.org/protocol/disco#info",
  discoItems: "http://jabber.org/protocol/disco#items",
  /** XEP-0115 Entity Capabilities */
  caps: "http://jabber.org/protocol/caps",
  roster: "jabber:iq:roster",
  register: "jabber:iq:register",
  registerFeature: "http://jabber.org/features/iq-register",
  ping: "urn:xmpp:ping",
  /** XEP-0203 Delayed Delivery */
  delay: "urn:xmpp:delay",
  /** XEP-0091 Legacy Delayed Delivery */
  oldDelay: "jabber:x:delay",
  /** XEP-0347 Internet of Things - Discovery */
  discovery: "urn:xmpp:iot:discovery",
  /** XEP-0324 Internet of Things - Provisioning */
  provisioning: "urn:xmpp:iot:provisioning",
  /** XEP-0323 Internet of Things - Sensor Data */
  sensorData: "urn:xmpp:iot:sensordata",
  /** XEP-0325 Internet of Things - Control */
  control: "urn:xmpp:iot:control",
  /** XEP-0326 Internet of Things - Concentrators */
  concentrators: "urn:xmpp:iot:concentrators",
  /** XEP-0221 Data Forms Media Element */
  media: "urn:xmpp:media-element",
  /** XEP-0066 Out of Band Data */
  oob: "jabber:x:oob",
  /** XEP-0004 Data Forms */
  form: "jabber:x:data",
  /** XEP-0122 Data Forms Validation */
  formValidation: "http://jabber.org/protocol/xdata-validate",
  /** XEP-0141 Data Forms Layout */
  formLayout: "http://jabber.org/protocol/xdata-layout",
  /** XEP-0336 Data Forms - Dynamic Forms */
  dynamicForm: "urn:xmpp:xdata:dynamic",
  /** XEP-0331 Data Forms - Color Field Types */
  formColor: "urn:xmpp:xdata:color",
} as const;
