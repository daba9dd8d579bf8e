// Command gov1 prints gov1.json: requests as the AWS SDK for Go 1 signs them, at a fixed
// time with fixed keys. That SDK is no dependency of this module; run it in a module of
// its own:
//
//	mkdir m && cp main.go m && cd m && go mod init m && go get github.com/aws/aws-sdk-go@v1.55.8
//	go run . > ../../gov1.json
package main

import (
	"encoding/json"
	"net/http/httputil"
	"os"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/corehandlers"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
	"github.com/aws/aws-sdk-go/service/pinpointsmsvoice"
)

type fixture struct {
	Name    string `json:"name"`
	Time    string `json:"time"`
	Request string `json:"request"`
}

func main() {
	now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	var fixtures []fixture
	client := func(id, token string) *pinpointsmsvoice.PinpointSMSVoice {
		c := pinpointsmsvoice.New(session.Must(session.NewSession(&aws.Config{
			Region: aws.String("us-east-1"), Endpoint: aws.String("http://127.0.0.1:4570"),
			Credentials: credentials.NewStaticCredentials(id, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token),
		})))
		c.Handlers.Sign.Clear()
		c.Handlers.Sign.PushBackNamed(corehandlers.BuildContentLengthHandler)
		c.Handlers.Sign.PushBack(func(r *request.Request) {
			v4.SignSDKRequestWithCurrentTime(r, func() time.Time { return now })
		})
		return c
	}
	keep := func(name string, r *request.Request) {
		if err := r.Sign(); err != nil {
			panic(err)
		}
		dump, err := httputil.DumpRequestOut(r.HTTPRequest, true)
		if err != nil {
			panic(err)
		}
		fixtures = append(fixtures, fixture{name, now.Format("20060102T150405Z"), string(dump)})
	}
	c := client("AKIDEXAMPLE", "")
	odd := aws.String("my set/\u00fc+a.b~c")
	r, _ := c.CreateConfigurationSetRequest(&pinpointsmsvoice.CreateConfigurationSetInput{ConfigurationSetName: aws.String("calls")})
	keep("create a set", r)
	r, _ = c.ListConfigurationSetsRequest(&pinpointsmsvoice.ListConfigurationSetsInput{PageSize: aws.String("10"), NextToken: aws.String("a b==&c/d+\u00fc")})
	keep("list with a query", r)
	r, _ = c.DeleteConfigurationSetRequest(&pinpointsmsvoice.DeleteConfigurationSetInput{ConfigurationSetName: odd})
	keep("delete a set with an odd name", r)
	r, _ = c.UpdateConfigurationSetEventDestinationRequest(&pinpointsmsvoice.UpdateConfigurationSetEventDestinationInput{ConfigurationSetName: odd, EventDestinationName: aws.String("d")})
	keep("update a destination with an odd name", r)
	r, _ = client("AKIDSESSION", "FwoGZXIvYXdzEBYaD+Example/Session=Token").SendVoiceMessageRequest(&pinpointsmsvoice.SendVoiceMessageInput{
		DestinationPhoneNumber: aws.String("+14255550159"), OriginationPhoneNumber: aws.String("+12065550153"),
		Content: &pinpointsmsvoice.VoiceMessageContent{PlainTextMessage: &pinpointsmsvoice.PlainTextMessageType{Text: aws.String("Gr\u00fc\u00dfe")}},
	})
	keep("send a message with a session token", r)
	r, _ = c.ListConfigurationSetsRequest(&pinpointsmsvoice.ListConfigurationSetsInput{PageSize: aws.String("10")})
	r.ExpireTime = time.Hour
	keep("presigned", r)

	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(fixtures); err != nil {
		panic(err)
	}
}
