// Writes javascript.json: requests as the AWS SDK for JavaScript 3 signs them, at a fixed
// time with fixed keys. Run it in a folder of its own, with the SDK installed there:
//
//   npm install @aws-sdk/client-pinpoint-sms-voice && node javascript.mjs > ../javascript.json
//
// No network is used: each request is caught before it is sent.
import {
  PinpointSMSVoiceClient, CreateConfigurationSetCommand, ListConfigurationSetsCommand, DeleteConfigurationSetCommand,
  UpdateConfigurationSetEventDestinationCommand, SendVoiceMessageCommand,
} from "@aws-sdk/client-pinpoint-sms-voice";

const now = Date.UTC(2026, 10, 21, 10, 30, 0);
Date.now = () => now;
const secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const odd = "my set/\u00fc+a.b~c";
const fixtures = [];

function client(name, credentials) {
  return new PinpointSMSVoiceClient({
    region: "us-east-1", endpoint: "http://127.0.0.1:4570", credentials, maxAttempts: 1,
    requestHandler: {
      metadata: { handlerProtocol: "http/1.1" },
      async handle(r) {
        const query = Object.entries(r.query ?? {}).map(([k, v]) => `${encode(k)}=${encode(v)}`).join("&");
        const lines = [`${r.method} ${r.path}${query ? "?" + query : ""} HTTP/1.1`];
        r.headers["user-agent"] = r.headers["x-amz-user-agent"]; // unsigned, and it names the machine
        for (const [k, v] of Object.entries(r.headers)) lines.push(`${k}: ${v}`);
        fixtures.push({ name, time: "20261121T103000Z", request: lines.join("\r\n") + "\r\n\r\n" + (r.body ?? "") });
        throw new Error("caught");
      },
    },
  });
}

// As @smithy/util-uri-escape writes a query.
function encode(s) {
  return encodeURIComponent(s).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

async function keep(name, command, credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey }) {
  try {
    await client(name, credentials).send(command);
  } catch (e) {
    if (e.message !== "caught") throw e;
  }
}

await keep("create a set", new CreateConfigurationSetCommand({ ConfigurationSetName: "calls" }));
await keep("list with a query", new ListConfigurationSetsCommand({ PageSize: "10", NextToken: "a b==&c/d+\u00fc" }));
await keep("delete a set with an odd name", new DeleteConfigurationSetCommand({ ConfigurationSetName: odd }));
await keep("update a destination with an odd name",
  new UpdateConfigurationSetEventDestinationCommand({ ConfigurationSetName: odd, EventDestinationName: "d" }));
await keep("send a message with a session token", new SendVoiceMessageCommand({
  DestinationPhoneNumber: "+14255550159", OriginationPhoneNumber: "+12065550153",
  Content: { PlainTextMessage: { Text: "Gr\u00fc\u00dfe" } },
}), { accessKeyId: "AKIDSESSION", secretAccessKey, sessionToken: "FwoGZXIvYXdzEBYaD+Example/Session=Token" });

console.log(JSON.stringify(fixtures, null, 1));
