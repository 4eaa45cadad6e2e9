module handler

go 1.25

replace handler/function => ./function

require handler/function v0.0.0-00010101000000-000000000000
