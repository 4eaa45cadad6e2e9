package secretsmanager

import "github.com/faas-lambda/faas-lambda/emulator/wire"

// refused is the error for what is the caller's fault. Those of the service's model carry their text in Message.
func refused(code, message string) *wire.Error {
	modelled := false
	switch code {
	case "ResourceNotFoundException", "ResourceExistsException", "InvalidParameterException", "InvalidRequestException", "InvalidNextTokenException":
		modelled = true
	}
	return &wire.Error{Code: code, Message: message, Capital: modelled}
}
