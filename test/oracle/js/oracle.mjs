// Goes through a scenario with the AWS SDK for JavaScript: node oracle.mjs SERVICE URL SCENARIO
//
// Prints a line per step that went wrong and how many went right, and ends with status 1 if
// any went wrong. What a step means is said beside the type "step" of scenario_test.go.

import { readFileSync } from "node:fs";

const [service, url, path] = process.argv.slice(2);
const sdk = await import("@aws-sdk/client-" + service);
const [Client, ServiceException] = {
  pinpoint: [sdk.PinpointClient, sdk.PinpointServiceException],
  "pinpoint-sms-voice": [sdk.PinpointSMSVoiceClient, sdk.PinpointSMSVoiceServiceException],
}[service];

function client(step) {
  const [accessKeyId, secretAccessKey, sessionToken] = step.credentials ?? ["test", "test"];
  return new Client({
    endpoint: url,
    region: step.region ?? "us-east-1",
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    maxAttempts: 1,
  });
}

// fill replaces {NAME} in all strings of value, for each name of values.
function fill(value, values) {
  if (typeof value === "string") return Object.entries(values).reduce((s, [name, v]) => s.replaceAll(`{${name}}`, v), value);
  if (Array.isArray(value)) return value.map((v) => fill(v, values));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [fill(k, values), fill(v, values)]));
  return value;
}

function repetitions(step) {
  if (!step.times) return [step];
  return Array.from({ length: step.times }, (_, i) => fill(step, { n: String(i + 1).padStart(3, "0") }));
}

async function call(sms, step, input) {
  const { $metadata, ...out } = await sms.send(new sdk[step.call + "Command"](input));
  if ($metadata.httpStatusCode !== (step.status ?? 200) || !$metadata.requestId) {
    throw new Error(`a success with the metadata ${JSON.stringify($metadata)}`);
  }
  return JSON.parse(JSON.stringify(out)); // drops what is undefined
}

async function perform(sms, step) {
  const input = structuredClone(step.in ?? {});
  if (!step.walk) return call(sms, step, input);
  const names = [];
  for (;;) {
    const page = await call(sms, step, input);
    names.push(...(page.ConfigurationSets ?? []));
    if (page.NextToken === undefined) return { ConfigurationSets: names };
    input.NextToken = page.NextToken;
  }
}

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const isEmpty = (v) => v === undefined || v === null || (typeof v === "object" && Object.keys(v).length === 0);
const show = (v) => JSON.stringify(v) ?? "undefined";

// expression turns a pattern of the scenario into a RegExp: (?i) is no JavaScript.
const expression = (pattern) =>
  pattern.startsWith("(?i)") ? new RegExp(pattern.slice(4), "i") : new RegExp(pattern);

// mismatch says where got is not what is wanted; undefined = it is.
function mismatch(want, got) {
  if (isObject(want)) {
    const other = isObject(got) ? got : {};
    for (const k of [...new Set([...Object.keys(want), ...Object.keys(other)])].sort()) {
      const problem = mismatch(want[k], other[k]);
      if (problem) return `.${k}${problem}`;
    }
    return undefined;
  }
  if (Array.isArray(want)) {
    const other = Array.isArray(got) ? got : [];
    if (want.length !== other.length) return ` has ${other.length} elements ${show(other)}, want ${want.length}`;
    for (let i = 0; i < want.length; i++) {
      const problem = mismatch(want[i], other[i]);
      if (problem) return `[${i}]${problem}`;
    }
    return undefined;
  }
  if (typeof want === "string" && want.startsWith("~")) {
    if (typeof got === "string" && expression(want.slice(1)).test(got)) return undefined;
    return ` = ${show(got)}, want a match for ${want.slice(1)}`;
  }
  if ((want === "*" && got !== undefined && got !== null) || (want === "#" && typeof got === "number")) return undefined;
  if (isEmpty(want) && isEmpty(got)) return undefined;
  return want === got ? undefined : ` = ${show(got)}, want ${show(want)}`;
}

// failure compares an error of the service with the step's expectation.
function failure(step, error) {
  const { httpStatusCode: status, requestId } = error.$metadata ?? {};
  const seen = `${status} ${error.name} ${show(error.message)}`;
  const want = step.error;
  if (!want) return `${seen}, want a success`;
  if (status !== want.status || error.name !== want.code) return `${seen}, want ${want.status} ${want.code}`;
  if (!requestId) return `${seen} has no request ID`;
  const modelled = sdk[error.name];
  if (modelled && !(error instanceof modelled)) return `${seen} became a ${error.constructor.name}`;
  if (modelled && service === "pinpoint" && error.RequestID !== requestId) return `${seen} has the member RequestID ${show(error.RequestID)}`;
  return mismatch(want.message, error.message);
}

// save adds to the values what the step keeps of its result.
function save(step, values, out) {
  for (const [name, path] of Object.entries(step.save ?? {})) {
    values[name] = path.split(".").reduce((v, member) => v?.[member], out);
  }
}

async function check(step, values) {
  const sms = client(step);
  try {
    const out = await perform(sms, step);
    save(step, values, out);
    return step.error ? `a success, want ${step.error.status} ${step.error.code}` : mismatch(step.out, out);
  } catch (error) {
    if (!(error instanceof ServiceException)) return `${error.name}: ${error.message}`;
    return failure(step, error);
  } finally {
    sms.destroy();
  }
}

const values = {};
const count = { right: 0, wrong: 0 };
for (const step of JSON.parse(readFileSync(path, "utf8")).steps) {
  for (const [i, repetition] of repetitions(step).entries()) {
    const problem = await check(fill(repetition, values), values);
    if (problem) console.log(`${step.title} (${i + 1}): ${step.call}: ${problem}`);
    count[problem ? "wrong" : "right"]++;
  }
}
console.log(`${count.right} steps right, ${count.wrong} wrong`);
process.exitCode = count.wrong > 0 ? 1 : 0;
