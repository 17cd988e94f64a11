module.exports = require('../dist/commonjs.cjs').testing;
