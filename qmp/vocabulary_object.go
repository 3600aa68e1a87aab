package qmp

// TLSCredentials is object-add of type tls-creds-x509 for a server.
type TLSCredentials struct {
	ID  string `qmp:"id"`
	Dir string `qmp:"dir"` // with ca-cert.pem, server-cert.pem and server-key.pem
	// VerifyPeer demands a certificate of the client, by the same authority.
	VerifyPeer bool `qmp:"verify-peer"`
}

// Command gives it as a command.
func (t TLSCredentials) Command() Command {
	return Command{"object-add", Dict(M("qom-type", Str("tls-creds-x509")), M("id", Str(t.ID)), M("dir", Str(t.Dir)),
		M("endpoint", Str("server")), M("verify-peer", Bool(t.VerifyPeer)))}
}

// ObjectDel is object-del.
type ObjectDel struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (o ObjectDel) Command() Command { return Command{"object-del", Dict(M("id", Str(o.ID)))} }
