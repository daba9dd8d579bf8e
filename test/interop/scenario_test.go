package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/internal/siptrunk"
)

// A scenario is what sipp does as a callee, in steps of its XML.

// invited waits for the INVITE and keeps what later requests and responses need of it.
const invited = `<recv request="INVITE" rrs="true" timeout="20000"><action>
  <ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
  <ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
  <ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="contact"/>
  <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
  <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
</action></recv>
`

const ourTag = ";tag=[pid]sipp[call_number]"

// recv waits for a request.
func recv(method string) string {
	return fmt.Sprintf("<recv request=%q timeout=\"20000\"/>\n", method)
}

// recvOK waits for the 200 to a request of ours.
const recvOK = `<recv response="200" timeout="20000"/>` + "\n"

func pause(d time.Duration) string {
	return fmt.Sprintf("<pause milliseconds=\"%d\"/>\n", d.Milliseconds())
}

// send sends a message as it stands, with its length.
func send(attributes string, head []string, body string) string {
	head = append(head, "Content-Length: [len]", "")
	return fmt.Sprintf("<send%s><![CDATA[\n%s\n%s]]></send>\n", attributes, strings.Join(head, "\n"), body)
}

// reply answers the INVITE. Final responses below 300 are repeated until the ACK.
func reply(status string, extra ...string) string {
	return answer(status, "", extra...)
}

// answer answers the INVITE with a description.
func answer(status, sdp string, extra ...string) string {
	head := append([]string{
		"SIP/2.0 " + status, "Via:[$via]", "From:[$from]", "To:[$to]" + ourTag, "Call-ID: [call_id]", "CSeq:[$cseq]",
		"Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>",
	}, extra...)
	if sdp != "" {
		head = append(head, "Content-Type: application/sdp")
	}
	attributes := ""
	if status[0] != '1' {
		attributes = ` retrans="500"`
	}
	return send(attributes, head, sdp)
}

// replyLast answers the request that came last, which has our tag.
func replyLast(status, sdp string, extra ...string) string {
	head := append([]string{"SIP/2.0 " + status, "[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"}, extra...)
	if sdp != "" {
		head = append(head, "Content-Type: application/sdp")
	}
	return send("", head, sdp)
}

// request sends a request within the call.
func request(method string, cseq int, sdp string, extra ...string) string {
	head := append([]string{
		method + " [$contact] SIP/2.0", "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
		"From:[$to]" + ourTag, "To:[$from]", "Call-ID: [call_id]", fmt.Sprintf("CSeq: %d %s", cseq, method), "Max-Forwards: 70",
		"Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>",
	}, extra...)
	attributes := ` retrans="500"`
	if method == "ACK" {
		attributes = ""
	}
	if sdp != "" {
		head = append(head, "Content-Type: application/sdp")
	}
	return send(attributes, head, sdp)
}

// sdp describes the callee, whose sound goes to the port.
func sdp(port int, formats string, attributes ...string) string {
	lines := append([]string{
		"v=0", "o=callee 1 1 IN IP4 [local_ip]", "s=-", "c=IN IP4 [local_ip]", "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %s", port, formats),
	}, attributes...)
	return strings.Join(lines, "\n") + "\n"
}

// hungUp is the end of a call that the caller ends.
var hungUp = recv("BYE") + replyLast("200 OK", "")

// answered answers and hears the caller to the end.
func answered(sdp string) string { return answer("200 OK", sdp) + recv("ACK") + hungUp }

// refused says no and waits for the acknowledgement.
func refused(status string, extra ...string) string { return reply(status, extra...) + recv("ACK") }

// cancelled is what becomes of a call that the caller gives up.
var cancelled = recv("CANCEL") + replyLast("200 OK", "") + refused("487 Request Terminated")

// sipp plays the steps for one call on the port.
func sipp(tb testing.TB, port int, steps ...string) *process {
	tb.Helper()
	program := need(tb, "sipp", "sip-tester")
	dir := tb.TempDir()
	text := `<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="callee">
` + strings.Join(steps, "") + `<Reference variables="from,to,contact,via,cseq"/>
</scenario>
`
	if err := os.WriteFile(filepath.Join(dir, "callee.xml"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	media := freePort(tb) // sipp opens one, though it is not used
	p := run(tb, dir, program, "-sf", "callee.xml", "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(media),
		"-m", "1", "-nostdin", "-timeout", "60", "-timeout_error", "-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log")
	tb.Cleanup(func() {
		if !tb.Failed() {
			return
		}
		for _, name := range []string{"errors.log", "messages.log"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				tb.Logf("%s of sipp:\n%s", name, b)
			}
		}
	})
	return p
}

// sippAt is sipp as the trunk, ready to be called.
func sippAt(tb testing.TB, trunk siptrunk.Config, steps ...string) *process {
	tb.Helper()
	_, text, _ := strings.Cut(trunk.Server, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	p := sipp(tb, port, steps...)
	awaitPort(tb, p, port)
	return p
}
