// Package models holds the embedded AWS against the models that AWS publishes of its APIs, as botocore carries them: it makes a list of calls, written
// by the models, and checks every answer for members, types, enumerations, timestamps and errors that the models do not have.
package models
