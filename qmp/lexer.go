package qmp

// lexState is a state of QEMU's lexer (qobject/json-lexer.c) or, from
// tokenError on, the kind of token that has just ended.
type lexState uint8

const (
	inStart lexState = iota
	inRecovery
	inDQ // within "…"
	inDQEscape
	inSQ // within '…'
	inSQEscape
	inZero
	inSign
	inNumber
	inMantissa
	inMantissaDigits
	inExp
	inExpSign
	inExpDigits
	inKeyword

	tokenError
	tokenLCurly
	tokenRCurly
	tokenLSquare
	tokenRSquare
	tokenColon
	tokenComma
	tokenInteger
	tokenFloat
	tokenKeyword
	tokenString
)

// stringByte reports whether a string may have the byte inside; what is not
// UTF-8 among them is found later.
func stringByte(c byte) bool { return c >= 0x20 && c < 0xfe }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// next returns the state after byte c in state s, and whether c belongs to what
// ends here. A byte that does not is looked at again from the new state.
func (s lexState) next(c byte) (n lexState, consumed bool) {
	switch s {
	case inStart:
		return lexStart(c), true
	case inRecovery:
		return lexRecovery(c)
	case inDQ, inSQ, inDQEscape, inSQEscape:
		return s.inString(c), true
	case inKeyword:
		if c >= 'a' && c <= 'z' {
			return inKeyword, true
		}
		return tokenKeyword, false
	}
	return s.inNumeral(c)
}

func lexStart(c byte) lexState {
	switch c {
	case ' ', '\t', '\r', '\n':
		return inStart
	case '"':
		return inDQ
	case '\'':
		return inSQ
	case '{':
		return tokenLCurly
	case '}':
		return tokenRCurly
	case '[':
		return tokenLSquare
	case ']':
		return tokenRSquare
	case ':':
		return tokenColon
	case ',':
		return tokenComma
	case '-':
		return inSign
	case '0':
		return inZero
	}
	switch {
	case digit(c):
		return inNumber
	case c >= 'a' && c <= 'z':
		return inKeyword
	}
	return tokenError
}

// lexRecovery skips after an error until something that may begin anew: line
// ends, other control characters but tab, impossible UTF-8, and structure.
func lexRecovery(c byte) (lexState, bool) {
	switch c {
	case '\t':
		return inRecovery, true
	case '{', '}', '[', ']', ':', ',':
		return inStart, false
	}
	if stringByte(c) {
		return inRecovery, true
	}
	return inStart, false
}

func (s lexState) inString(c byte) lexState {
	switch {
	case !stringByte(c):
		return tokenError
	case s == inDQEscape:
		return inDQ
	case s == inSQEscape:
		return inSQ
	case c == '\\' && s == inDQ:
		return inDQEscape
	case c == '\\':
		return inSQEscape
	case (s == inDQ && c == '"') || (s == inSQ && c == '\''):
		return tokenString
	}
	return s
}

func (s lexState) inNumeral(c byte) (lexState, bool) {
	switch s {
	case inSign:
		switch {
		case c == '0':
			return inZero, true
		case digit(c):
			return inNumber, true
		}
		return tokenError, true
	case inZero:
		switch {
		case c == '.':
			return inMantissa, true
		case digit(c):
			return tokenError, true
		}
		return tokenInteger, false
	case inNumber:
		return numberNext(c)
	}
	return s.inFraction(c)
}

func numberNext(c byte) (lexState, bool) {
	switch {
	case digit(c):
		return inNumber, true
	case c == '.':
		return inMantissa, true
	case c == 'e', c == 'E':
		return inExp, true
	}
	return tokenInteger, false
}

func (s lexState) inFraction(c byte) (lexState, bool) {
	switch s {
	case inMantissa, inMantissaDigits:
		switch {
		case digit(c):
			return inMantissaDigits, true
		case s == inMantissa:
			return tokenError, true
		case c == 'e', c == 'E':
			return inExp, true
		}
		return tokenFloat, false
	case inExp:
		if c == '+' || c == '-' {
			return inExpSign, true
		}
	}
	switch {
	case digit(c):
		return inExpDigits, true
	case s == inExpDigits:
		return tokenFloat, false
	}
	return tokenError, true
}
