// Goes through a scenario with the AWS SDK for JavaScript: node oracle.mjs SERVICE URL SCENARIO
//
// Prints a line per step that went wrong and how many went right, and ends with status 1 if
// any went wrong. What a step means is said beside the type "step" of scenario_test.go.

import { readFileSync } from "node:fs";

const [service, url, path] = process.argv.slice(2);
const scenario = JSON.parse(readFileSync(path, "utf8"));
const sdks = {};
for (const name of new Set([service, ...scenario.steps.map((step) => step.service ?? service)])) {
  const sdk = await import("@aws-sdk/client-" + name);
  const prefix = { pinpoint: "Pinpoint", "pinpoint-sms-voice": "PinpointSMSVoice", ses: "SES", "pinpoint-email": "PinpointEmail", sesv2: "SESv2" }[name];
  sdks[name] = { sdk, Client: sdk[prefix + "Client"], ServiceException: sdk[prefix + "ServiceException"] };
}
const sdkOf = (step) => sdks[step.service ?? service];

function client(step) {
  const [accessKeyId, secretAccessKey, sessionToken] = step.credentials ?? ["test", "test"];
  return new (sdkOf(step).Client)({
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

// plain turns what stands for bytes and for times into them.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  if (typeof value.$blob === "string") return new TextEncoder().encode(value.$blob);
  if (typeof value.$time === "string") return new Date(value.$time);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
}

async function call(sms, step, input) {
  const { $metadata, ...out } = await sms.send(new (sdkOf(step).sdk)[step.call + "Command"](input));
  if ($metadata.httpStatusCode !== (step.status ?? 200) || !$metadata.requestId) {
    throw new Error(`a success with the metadata ${JSON.stringify($metadata)}`);
  }
  return JSON.parse(JSON.stringify(out)); // drops what is undefined
}

async function perform(sms, step) {
  const input = plain(step.in ?? {});
  const member = step.list ?? "ConfigurationSets";
  if (!step.walk) return call(sms, step, input);
  const names = [];
  for (;;) {
    const page = await call(sms, step, input);
    names.push(...(page[member] ?? []));
    if (page.NextToken === undefined) return { [member]: names };
    input.NextToken = page.NextToken;
  }
}

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const isEmpty = (v) => v === undefined || v === null || (typeof v === "object" && Object.keys(v).length === 0);
const show = (v) => JSON.stringify(v) ?? "undefined";

// expression turns a pattern of the scenario into a RegExp: (?i) and (?s) are no JavaScript.
const expression = (pattern) => {
  const [, flag, rest] = /^(?:\(\?([is])\))?(.*)$/s.exec(pattern);
  return new RegExp(rest, flag);
};

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
  const code = error.Error?.Code ?? error.name; // of the Query protocol the name is that of the class
  const seen = `${status} ${code} ${show(error.message)}`;
  const { sdk } = sdkOf(step);
  const want = step.error;
  if (!want) return `${seen}, want a success`;
  if (status !== want.status || code !== want.code) return `${seen}, want ${want.status} ${want.code}`;
  if (!requestId) return `${seen} has no request ID`;
  const modelled = want.untyped ? undefined : (sdk[code] ?? sdk[code + "Exception"]);
  if (!modelled && !want.untyped && /^(ses|sesv2|pinpoint-email)$/.test(service)) return `${seen} has no type`;
  if (modelled && !(error instanceof modelled)) return `${seen} became a ${error.constructor.name}`;
  if (modelled && service === "pinpoint" && error.RequestID !== requestId) return `${seen} has the member RequestID ${show(error.RequestID)}`;
  for (const [name, value] of Object.entries(want.members ?? {})) {
    const problem = mismatch(value, error[name]);
    if (problem) return `${seen}: ${name}${problem}`;
  }
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
    if (!(error instanceof sdkOf(step).ServiceException)) return `${error.name}: ${error.message}`;
    return failure(step, error);
  } finally {
    sms.destroy();
  }
}

const values = {};
const count = { right: 0, wrong: 0 };
for (const step of scenario.steps) {
  for (const [i, repetition] of repetitions(step).entries()) {
    const problem = await check(fill(repetition, values), values);
    if (problem) console.log(`${step.title} (${i + 1}): ${step.call}: ${problem}`);
    count[problem ? "wrong" : "right"]++;
  }
}
console.log(`${count.right} steps right, ${count.wrong} wrong`);
process.exitCode = count.wrong > 0 ? 1 : 0;
