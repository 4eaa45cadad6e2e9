package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	if err := lambdatest.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// harness is Lambda on loopback, without other services, with a client.
type harness struct {
	*Service
	*lambdatest.Client
	t    testing.TB
	http *httptest.Server
}

func start(t testing.TB, opts Options) *harness {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir, opts.Temporary = t.TempDir(), true
	}
	opts.Region, opts.Account = "us-east-1", "000000000000"
	if opts.Concurrency == 0 {
		opts.Concurrency = 1000
	}
	h := &harness{t: t, http: httptest.NewUnstartedServer(nil)}
	h.Client = lambdatest.New(t, "http://"+h.http.Listener.Addr().String())
	opts.API, opts.LogOutput, opts.Services.Objects = http.NotFoundHandler(), h.Log, bucket{lambdatest.Object: lambdatest.Packed()}
	service, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Service, h.http.Config.Handler = service, service.API()
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	h.http.Start()
	t.Cleanup(h.stop)
	return h
}

func (h *harness) stop() {
	if err := h.Service.Close(); err != nil {
		h.t.Error(err)
	}
	h.http.Close()
}

func zipCode(zip []byte) *types.FunctionCode { return &types.FunctionCode{ZipFile: zip} }

func zipHash(zip []byte) string {
	sum := sha256.Sum256(zip)
	return hex.EncodeToString(sum[:])
}
