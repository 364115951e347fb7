"""The micro-model `registers`: a few lines of a register map and a request in, one exact Modbus request or a refusal out."""
