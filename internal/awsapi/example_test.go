package awsapi_test

import (
	"context"
	"fmt"

	"tidings/internal/awsapi"
)

func ExampleOp() {
	type input struct{ Name string }
	type output struct{ Greeting string }
	greet := awsapi.Op("Greet", func(_ context.Context, in *input) (*output, error) {
		return &output{Greeting: "hello " + in.Name}, nil
	})

	// What a protocol does: make an input, fill it, call, write the output.
	in := greet.NewInput()
	in.(*input).Name = "Ada"
	out, err := greet.Invoke(context.Background(), in)
	fmt.Println(greet.Name, out.(*output).Greeting, err)
	// Output: Greet hello Ada <nil>
}
