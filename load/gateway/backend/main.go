// A gRPC server that answers each RPC with bytes that it was given: "backend JSON", path → base64. Prints its port.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Messages are bytes, both ways.
type raw struct{}

func (raw) Marshal(value any) ([]byte, error)   { return *value.(*[]byte), nil }
func (raw) Unmarshal(data []byte, value any) error { *value.(*[]byte) = data; return nil }
func (raw) Name() string                        { return "proto" }

func main() {
	var encoded map[string]string
	if err := json.Unmarshal([]byte(os.Args[1]), &encoded); err != nil {
		log.Fatal(err)
	}
	answers := map[string][]byte{}
	for path, text := range encoded {
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			log.Fatal(err)
		}
		answers[path] = bytes
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		path, _ := grpc.MethodFromServerStream(stream)
		answer, ok := answers[path]
		if !ok {
			return status.Error(codes.Unimplemented, path)
		}
		var request []byte
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		return stream.SendMsg(&answer)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.Serve(listener))
}
